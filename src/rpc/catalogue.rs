//! The methods under their full names, and `system.*`, which describes them.

use crate::model::{Fault, FaultCode, Namespace, RpcInterface};
use crate::xmlrpc::Value;

use super::arguments::Arguments;
use super::method::{Introspection, Method};
use super::methods::{SUPERVISOR, SV, SYSTEM};
use super::packages::{CACHE, LAFORGE, TWIDDLER};
use super::signature::{Kind, Param};

/// The namespace that always exists and can't be configured.
const SYSTEM_NAMESPACE: &str = "system";

/// Our own namespace. It exists where the supervisor's methods do, under whatever name; a configuration can
/// use this name for the supervisor's methods instead.
const OWN_NAMESPACE: &str = "sv";

/// All methods that can be called.
pub(super) struct Catalogue<'a> {
    namespaces: &'a [Namespace],
}

impl<'a> Catalogue<'a> {
    pub(super) fn new(namespaces: &'a [Namespace]) -> Self {
        Self { namespaces }
    }

    /// The method with this full name. No name in the table contains a dot or starts with an underscore, so
    /// such names never match.
    pub(super) fn find(&self, full_name: &str) -> Option<&'static Method> {
        let (namespace, name) = full_name.split_once('.')?;
        self.methods_of(namespace).iter().find(|method| method.names.contains(&name))
    }

    fn methods_of(&self, namespace: &str) -> &'static [Method] {
        let configured = self.namespaces.iter().find(|known| known.name == namespace);
        match configured.map(|known| known.interface) {
            _ if namespace == SYSTEM_NAMESPACE => SYSTEM,
            Some(RpcInterface::Supervisor) => SUPERVISOR,
            Some(RpcInterface::Cache) => CACHE,
            Some(RpcInterface::LaForge) => LAFORGE,
            Some(RpcInterface::Twiddler) => TWIDDLER,
            None if namespace == OWN_NAMESPACE && self.has_supervisors_methods() => SV,
            None => &[],
        }
    }

    fn has_supervisors_methods(&self) -> bool {
        let is_it = |it: &Namespace| it.interface == RpcInterface::Supervisor && it.name != SYSTEM_NAMESPACE;
        self.namespaces.iter().any(is_it)
    }

    /// What a method of `system` returns.
    pub(super) fn describe(&self, what: Introspection, given: &Arguments<'_>) -> Result<Value, Fault> {
        match what {
            Introspection::Names => Ok(self.list()),
            Introspection::Help => self.help(given.text(0)?),
            Introspection::Signature => self.signature(given.text(0)?),
        }
    }

    /// `system.listMethods`
    pub(super) fn list(&self) -> Value {
        let namespaces =
            self.namespaces.iter().map(|it| it.name.as_str()).chain([OWN_NAMESPACE, SYSTEM_NAMESPACE]);
        let names_in = |namespace: &str| -> Vec<String> {
            let names = self.methods_of(namespace).iter().flat_map(|method| method.names);
            names.map(|name| format!("{namespace}.{name}")).collect()
        };
        let mut full_names: Vec<String> = namespaces.flat_map(names_in).collect();
        full_names.sort_unstable();
        full_names.dedup();
        Value::Array(full_names.into_iter().map(Value::from).collect())
    }

    /// `system.methodHelp`, in the format of Supervisor's documentation.
    fn help(&self, full_name: &str) -> Result<Value, Fault> {
        let method = self.described(full_name)?;
        let mut text = format!("{}\n\n", method.doc);
        for Param { kind, name, doc, .. } in method.params {
            text.push_str(&format!("@param {} {name} {doc}\n", kind.name()));
        }
        let (kind, doc) = method.returns;
        text.push_str(&format!("@return {} result {doc}\n", kind.name()));
        Ok(text.into())
    }

    /// `system.methodSignature`
    fn signature(&self, full_name: &str) -> Result<Value, Fault> {
        let method = self.described(full_name)?;
        let kinds = [method.returns.0].into_iter().chain(method.params.iter().map(|param| param.kind));
        Ok(Value::Array(kinds.map(Kind::name).map(Value::from).collect()))
    }

    fn described(&self, full_name: &str) -> Result<&'static Method, Fault> {
        self.find(full_name).ok_or(Fault::bare(FaultCode::SignatureUnsupported))
    }
}
