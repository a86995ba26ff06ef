//! Any bytes as a call and as a reply: they are read or refused, what was read is written as it was, and
//! whatever is written is well-formed.
#![no_main]

mod well_formed;

use libfuzzer_sys::fuzz_target;
use sv::model::Namespace;
use sv::rpc::{Asked, Multicall, ask, body};
use sv::xmlrpc::{Call, Value, decode_call, decode_response, encode_call, encode_fault, encode_response};
use well_formed::{assert_well_formed, is_char};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(call) = decode_call(bytes) {
        check_call(&call);
        answer(&call.method, &call.params);
    }
    match decode_response(bytes) {
        Ok(Ok(value)) => check_value(&value),
        Ok(Err((code, text))) => check_fault(code, &text),
        Err(_) => {}
    }
    // A child may have printed it, or a client named a process so.
    let text = String::from_utf8_lossy(bytes).into_owned();
    check_fault(1, &text);
    let bytes = Value::Base64(bytes.to_vec());
    check_value(&Value::Struct(vec![(text.clone().into(), text.as_str().into()), ("bytes".into(), bytes)]));
    assert_well_formed(&encode_call(&text, &[text.as_str().into()]));
});

fn check_call(call: &Call) {
    let xml = encode_call(&call.method, &call.params);
    assert_well_formed(&xml);
    let params = call.params.iter().map(carried).collect();
    let again = decode_call(&xml).map(|call| (call.method, shown(&Value::Array(call.params))));
    assert_eq!(again, Ok((carried_text(&call.method), shown(&Value::Array(params)))));
}

fn check_value(value: &Value) {
    let xml = encode_response(value);
    assert_well_formed(&xml);
    let again = decode_response(&xml).map(|outcome| outcome.map(|value| shown(&value)));
    assert_eq!(again, Ok(Ok(shown(&carried(value)))));
}

fn check_fault(code: i32, text: &str) {
    let xml = encode_fault(code, text);
    assert_well_formed(&xml);
    assert_eq!(decode_response(&xml), Ok(Err((code, carried_text(text)))));
}

/// What the methods themselves say to it, if it is one that needs no supervisor.
fn answer(method: &str, params: &[Value]) {
    let namespaces = ["supervisor"].map(Namespace::of_supervisor);
    let outcome = match ask(method, params, &namespaces) {
        Ok(Asked::Many(calls)) => return assert_well_formed(&results(calls, &namespaces)),
        Ok(Asked::Answer(value) | Asked::AnswerUnlessStopping(value)) => Ok(value),
        Ok(Asked::Command(_) | Asked::Cache(_)) => return,
        Err(fault) => Err(fault),
    };
    assert_well_formed(&body(outcome).finish());
}

fn results(mut calls: Multicall, namespaces: &[Namespace]) -> Vec<u8> {
    while let Some(asked) = calls.next(namespaces) {
        calls.answered(asked.map(|asked| match asked {
            Asked::Answer(value) | Asked::AnswerUnlessStopping(value) => value,
            Asked::Command(_) | Asked::Cache(_) => true.into(),
            Asked::Many(_) => panic!("a multicall in a multicall"),
        }));
    }
    calls.into_body()
}

/// A value as the protocol can carry it.
fn carried(value: &Value) -> Value {
    match value {
        Value::Int(number) => Value::Int((*number).clamp(i32::MIN.into(), i32::MAX.into())),
        Value::String(text) => Value::String(carried_text(text)),
        Value::DateTime(text) => Value::DateTime(carried_text(text).trim().to_owned()),
        Value::Array(items) => Value::Array(items.iter().map(carried).collect()),
        Value::Struct(members) => {
            let members = members.iter();
            Value::Struct(members.map(|(name, value)| (carried_text(name).into(), carried(value))).collect())
        }
        Value::Bool(_) | Value::Double(_) | Value::Base64(_) => value.clone(),
    }
}

/// XML has no other characters, and makes line feeds of carriage returns.
fn carried_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().map(|it| if is_char(it) { it } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// For a comparison in which what is not a number equals itself.
fn shown(value: &Value) -> String {
    format!("{value:?}")
}
