//! Tests: round trips, and rejection of malicious input.

use super::*;

/// A call of `m` with this text as its parameter.
fn call_with(value: &str) -> String {
    format!("<methodCall><methodName>m</methodName><params><param>{value}</param></params></methodCall>")
}

fn decode_one(value: &str) -> Result<Value, DecodeError> {
    decode_call(call_with(value).as_bytes()).map(|mut call| call.params.remove(0))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn values_are_read_in_every_spelling() {
    let pair = || Value::Array(vec![1.into(), "b".into()]);
    for (xml, expected) in [
        ("<value><int>5</int></value>", 5.into()),
        ("<value><i4> -5\n</i4></value>", (-5).into()),
        ("<value><int>4294967296</int></value>", 4_294_967_296_i64.into()),
        ("<value><i8>-7</i8></value>", (-7).into()),
        ("<value><boolean>1</boolean></value>", true.into()),
        ("<value><boolean>0</boolean></value>", false.into()),
        ("<value><boolean>true</boolean></value>", false.into()),
        ("<value><double>1.5</double></value>", Value::Double(1.5)),
        ("<value><string>a b</string></value>", "a b".into()),
        ("<value>\n <string> a </string>\n</value>", " a ".into()),
        ("<value><string/></value>", "".into()),
        ("<value>bare</value>", "bare".into()),
        ("<value> </value>", " ".into()),
        ("<value></value>", "".into()),
        ("<value/>", "".into()),
        ("<value>&lt;&gt;&amp;&apos;&quot;&#65;&#x42;</value>", "<>&'\"AB".into()),
        ("<value>a<![CDATA[<b>&amp;]]>c<!-- no -->d</value>", "a<b>&amp;cd".into()),
        ("<value>one\r\ntwo\rthree</value>", "one\ntwo\nthree".into()),
        ("<value>h\u{e9}\u{1f600}</value>", "h\u{e9}\u{1f600}".into()),
        ("<value>\u{1b}[0m</value>", "\u{1b}[0m".into()),
        (
            "<value><dateTime.iso8601>20240101T00:00:00</dateTime.iso8601></value>",
            Value::DateTime("20240101T00:00:00".to_owned()),
        ),
        ("<value><base64>aGVs\nbG8=\n</base64></value>", Value::Base64(b"hello".to_vec())),
        ("<value><base64/></value>", Value::Base64(Vec::new())),
        ("<value><array><data><value><int>1</int></value><value>b</value></data></array></value>", pair()),
        ("<value><array> <data/> </array></value>", Value::Array(Vec::new())),
        ("<value><struct/></value>", Value::Struct(Vec::new())),
        (
            "<value><struct><member><name>n</name><value><i4>1</i4></value></member></struct></value>",
            Value::members([("n", 1.into())]),
        ),
    ] {
        assert_eq!(decode_one(xml), Ok(expected), "{xml}");
    }
}

#[test]
fn invalid_values_are_rejected() {
    for (xml, error) in [
        ("<value><nil/></value>", DecodeError::Unexpected("element")),
        ("<value><i8>x</i8></value>", DecodeError::BadValue("i8")),
        ("<value><name>x</name></value>", DecodeError::Unexpected("name")),
        ("<value><int/></value>", DecodeError::BadValue("int")),
        ("<value><int>1.5</int></value>", DecodeError::BadValue("int")),
        ("<value><i4>99999999999999999999</i4></value>", DecodeError::BadValue("i4")),
        ("<value><double>x</double></value>", DecodeError::BadValue("double")),
        ("<value><base64>!</base64></value>", DecodeError::BadValue("base64")),
        ("<value>a<int>1</int></value>", DecodeError::Unexpected("text")),
        ("<value><int>1</int>a</value>", DecodeError::Unexpected("text")),
        ("<value><int>1</int><int>2</int></value>", DecodeError::Unexpected("int")),
        ("<value><string><int>1</int></string></value>", DecodeError::Unexpected("int")),
        ("<value><array/></value>", DecodeError::Unexpected("end of an element")),
        ("<value><array><data><int>1</int></data></array></value>", DecodeError::Unexpected("int")),
        ("<value><array><data/><data/></array></value>", DecodeError::Unexpected("data")),
        ("<value><struct><name>n</name></struct></value>", DecodeError::Unexpected("name")),
        ("<value><struct><member><value/></member></struct></value>", DecodeError::Unexpected("value")),
        ("<value/><value/>", DecodeError::Unexpected("value")),
    ] {
        assert_eq!(decode_one(xml), Err(error), "{xml}");
    }
    for xml in
        ["<value>&foo;</value>", "<value>&#0;</value>", "<value>&#xD800;</value>", "<value>a & b</value>"]
    {
        assert!(matches!(decode_one(xml), Err(DecodeError::NotXml(_))), "{xml}");
    }
}

#[test]
fn calls_are_read_with_and_without_params() {
    for (xml, params) in [
        ("<methodCall><methodName>a.b</methodName></methodCall>", 0),
        ("<methodCall><methodName>a.b</methodName><params/></methodCall>", 0),
        (
            "<?xml version='1.0' encoding='iso-8859-1'?>\n<methodCall>\n<methodName>a.b</methodName>\n</methodCall>\n",
            0,
        ),
        ("\u{feff}<methodCall><methodName>a.b</methodName></methodCall><!-- bye -->", 0),
        ("<methodCall><params><param><value/></param></params><methodName>a.b</methodName></methodCall>", 1),
    ] {
        let call = decode_call(xml.as_bytes()).unwrap();
        assert_eq!((call.method.as_str(), call.params.len()), ("a.b", params), "{xml}");
    }
}

#[test]
fn invalid_calls_are_rejected() {
    let bomb = "<!DOCTYPE m [<!ENTITY a \"aa\">]><methodCall><methodName>&a;</methodName></methodCall>";
    for (xml, error) in [
        ("", DecodeError::Unexpected("end")),
        ("hello", DecodeError::Unexpected("text")),
        ("<methodCall>", DecodeError::Unexpected("end")),
        ("<methodCall/>", DecodeError::NoMethodName),
        ("<methodCall><methodName/></methodCall>", DecodeError::NoMethodName),
        (
            "<methodCall><methodName>m</methodName></methodCall>x",
            DecodeError::Unexpected("content after the end"),
        ),
        (
            "<methodCall><methodName>m</methodName></methodCall><value/>",
            DecodeError::Unexpected("content after the end"),
        ),
        ("<methodResponse/>", DecodeError::Unexpected("methodResponse")),
        ("<html></html>", DecodeError::Unexpected("element")),
        (bomb, DecodeError::Doctype),
    ] {
        assert_eq!(decode_call(xml.as_bytes()), Err(error), "{xml}");
    }
    for xml in ["<methodCall></methodName>", "<methodCall", "<methodCall><!-- "] {
        assert!(matches!(decode_call(xml.as_bytes()), Err(DecodeError::NotXml(_))), "{xml}");
    }
    assert_eq!(decode_call(b"<methodCall>\xe9</methodCall>"), Err(DecodeError::NotUtf8));
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        let (open, close) = ("<value><array><data>", "</data></array></value>");
        format!("{}<value/>{}", open.repeat(depth - 1), close.repeat(depth - 1))
    };
    assert!(decode_one(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(decode_one(&nested(DEPTH_MAX + 1)), Err(DecodeError::TooDeep));
    assert_eq!(decode_one(&"<value><array><data>".repeat(50_000)), Err(DecodeError::TooDeep));
}

#[test]
fn replies_are_written_as_python_writes_them() {
    let expected = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n<member>\n\
        <name>a&lt;</name>\n<value><array><data>\n<value><int>2147483647</int></value>\n\
        <value><boolean>1</boolean></value>\n</data></array></value>\n</member>\n</struct></value>\n\
        </param>\n</params>\n</methodResponse>\n";
    let value = Value::members([("a<", Value::Array(vec![i64::MAX.into(), true.into()]))]);
    assert_eq!(text(encode_response(&value)), expected);

    let fault = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n\
        <name>faultCode</name>\n<value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
        <value><string>BAD_NAME: &lt;x&gt; &amp; y</string></value>\n</member>\n</struct></value>\n</fault>\n\
        </methodResponse>\n";
    assert_eq!(text(encode_fault(10, "BAD_NAME: <x> & y")), fault);

    let call = "<?xml version='1.0'?>\n<methodCall>\n<methodName>a.b</methodName>\n<params>\n</params>\n</methodCall>\n";
    assert_eq!(text(encode_call("a.b", &[])), call);
}

#[test]
fn characters_invalid_in_xml_are_replaced() {
    for (raw, written) in [
        ("tab\tline\n", "tab\tline\n"),
        ("cr\r\n", "cr\r\n"),
        ("\u{1b}[31mred\u{1b}[0m", "\u{fffd}[31mred\u{fffd}[0m"),
        ("\0\u{1f}\u{fffe}\u{ffff}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ("\u{7f}\u{85}\u{e000}\u{10ffff}", "\u{7f}\u{85}\u{e000}\u{10ffff}"),
        ("]]>", "]]&gt;"),
    ] {
        let xml = text(encode_response(&raw.into()));
        assert!(xml.contains(&format!("<string>{written}</string>")), "{xml}");
    }
    assert!(text(encode_response(&i64::MIN.into())).contains("<int>-2147483648</int>"));
}

#[test]
fn a_long_reply_is_encoded_in_slices_of_a_bounded_size() {
    let row = || Value::members([("name", "\u{e9}<".repeat(40).into()), ("all", vec![1.into(); 30].into())]);
    for value in
        [Value::from("&<".repeat(1 << 20)), "\u{e9}".repeat(1 << 20).into(), vec![row(); 2_000].into()]
    {
        let mut encoder = Encoder::response(value.clone());
        let (mut slices, mut before) = (0, encoder.bytes());
        while !encoder.encode_slice() {
            slices += 1;
            assert!((1..=128 * 1024).contains(&(encoder.bytes() - before)), "slice {slices}");
            before = encoder.bytes();
        }
        assert!(slices > 10, "{slices}");
        assert_eq!(decode_response(&encoder.finish()), Ok(Ok(value)));
    }
}

#[test]
fn replies_are_values_or_faults() {
    assert_eq!(decode_response(&encode_response(&"3.0".into())), Ok(Ok("3.0".into())));
    assert_eq!(decode_response(&encode_fault(70, "NOT_RUNNING")), Ok(Err((70, "NOT_RUNNING".to_owned()))));
    for (xml, error) in [
        ("<methodResponse/>", DecodeError::Unexpected("end of an element")),
        ("<methodResponse><params/></methodResponse>", DecodeError::Unexpected("number of results")),
        ("<methodResponse><fault><value/></fault></methodResponse>", DecodeError::BadValue("fault")),
        ("<methodResponse><value/></methodResponse>", DecodeError::Unexpected("value")),
        ("<methodResponse><params><param><value/></param></params>", DecodeError::Unexpected("end")),
    ] {
        assert_eq!(decode_response(xml.as_bytes()), Err(error), "{xml}");
    }
}

#[test]
fn accessors_answer_for_their_type_only() {
    let value = Value::members([("a", 1.into()), ("b", true.into()), ("a", "last".into())]);
    assert_eq!(value.get("a").and_then(Value::as_str), Some("last"));
    assert_eq!(value.get("b").and_then(Value::as_bool), Some(true));
    assert_eq!(value.get("c"), None);
    assert_eq!(value.as_int(), None);
    assert_eq!(Value::Base64(b"hi".to_vec()).as_str(), Some("hi"));
    assert_eq!(Value::Base64(vec![0xff]).as_str(), None);
    assert_eq!(Value::Array(vec![1.into()]).as_array().map(<[Value]>::len), Some(1));
}

/// Pseudo-random numbers that are the same in every run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn text(&mut self) -> String {
        let alphabet: Vec<char> = "ab <>&'\"\n\t]é漢\u{1f600}".chars().collect();
        let chosen = usize::try_from(self.roll(12)).unwrap();
        (0..chosen).map(|_| alphabet[usize::try_from(self.roll(alphabet.len() as u64)).unwrap()]).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        let kinds = if depth == 0 { 6 } else { 8 };
        let count = usize::try_from(self.roll(4)).unwrap();
        match self.roll(kinds) {
            0 => Value::Int(i64::try_from(self.roll(1 << 32)).unwrap() - (1 << 31)),
            1 => Value::Bool(self.roll(2) == 1),
            2 => Value::Double((self.roll(1 << 40) as f64) / 1024.0),
            3 => Value::DateTime(format!("20240101T00:00:{:02}", self.roll(60))),
            4 => Value::Base64(self.text().into_bytes()),
            5 => Value::String(self.text()),
            6 => Value::Array((0..count).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Struct((0..count).map(|_| (self.text().into(), self.value(depth - 1))).collect()),
        }
    }
}

#[test]
fn encoded_values_round_trip() {
    let mut dice = Dice(0x5eed);
    for _ in 0..500 {
        let params = vec![dice.value(4), dice.value(4)];
        let call = Call { method: "a.b".to_owned(), params: params.clone() };
        assert_eq!(decode_call(&encode_call("a.b", &params)), Ok(call));
        assert_eq!(decode_response(&encode_response(&params[0])), Ok(Ok(params[0].clone())));
    }
}

#[test]
fn no_mutilated_call_panics() {
    let mut dice = Dice(0xbad);
    let whole = encode_call("a.b", &[dice.value(4), Value::members([("n", "v".into())])]);
    for _ in 0..5_000 {
        let mut bytes = whole.clone();
        let place = usize::try_from(dice.roll(bytes.len() as u64)).unwrap();
        match dice.roll(3) {
            0 => bytes.truncate(place),
            1 => bytes[place] = u8::try_from(dice.roll(256)).unwrap(),
            _ => drop(bytes.drain(place..place.saturating_add(3).min(whole.len()))),
        }
        let _ = decode_call(&bytes);
    }
}
