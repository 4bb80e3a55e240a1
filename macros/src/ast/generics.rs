//! Generic parameters and `where` predicates, as generated impls repeat them.

use syn::{GenericParam, Generics, WherePredicate};

/// Returns the generic parameters as an `impl` declares them: without defaults.
///
/// Unlike `split_for_impl` this gives single parameters, so an impl can declare more beside them.
pub(crate) fn impl_params(generics: &Generics) -> impl Iterator<Item = GenericParam> {
    generics.params.iter().map(without_default)
}

/// Returns the predicates of the `where` clause, or nothing without one.
pub(crate) fn predicates(generics: &Generics) -> impl Iterator<Item = &WherePredicate> {
    generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates)
}

fn without_default(param: &GenericParam) -> GenericParam {
    let mut param = param.clone();
    match &mut param {
        GenericParam::Type(param) => param.default = None,
        GenericParam::Const(param) => param.default = None,
        GenericParam::Lifetime(_) => {}
    }
    param
}
