//! What is emitted beside an error, so that one mistake is one error: the names that the rest of
//! the crate uses are there, and hold no checks.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::signature::Function;

/// The handler type of a function whose signature is wrong.
pub(crate) fn push_handler(args: &Args, function: &Function) -> TokenStream {
    if function.is_method() {
        return TokenStream::new();
    }
    let krate = args.krate();
    let (cfgs, name, marker) = (&function.cfgs, function.name(), marker(function));
    quote! {
        #marker
        #(#cfgs)*
        const _: () = {
            use #krate::__private as __p;
            impl<__S: ::core::marker::Sync> __p::Handler<__S> for #name {
                fn spec(&self) -> __p::Spec {
                    __p::Spec::new("")
                }
                async fn handle(&self, _: __p::Push<'_>, _: &__S) -> __p::Handled {
                    ::core::result::Result::Ok(())
                }
            }
        };
    }
}

/// The gap handler type of a function whose signature is wrong.
pub(crate) fn gap_handler(args: &Args, function: &Function) -> TokenStream {
    if function.is_method() {
        return TokenStream::new();
    }
    let krate = args.krate();
    let (cfgs, name, marker) = (&function.cfgs, function.name(), marker(function));
    quote! {
        #marker
        #(#cfgs)*
        const _: () = {
            use #krate::__private as __p;
            impl<__S: ::core::marker::Sync> __p::GapHandler<__S> for #name {
                async fn handle(&self, _: &__p::Gap, _: &__S) -> __p::Handled {
                    ::core::result::Result::Ok(())
                }
            }
        };
    }
}

/// The type that has a function's name.
///
/// Its `struct` is a token of the macro's, so that the compiler's warning for a handler that is
/// never mounted is told once, for the function.
pub(crate) fn marker(function: &Function) -> TokenStream {
    let Function { cfgs, vis, .. } = function;
    let name = function.name();
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis struct #name {}
    }
}

/// The trait impls of a message type whose attributes are wrong.
pub(crate) fn message(args: &Args, input: &syn::DeriveInput) -> TokenStream {
    let krate = args.krate();
    let name = &input.ident;
    let (_, ty_generics, where_clause) = input.generics.split_for_impl();
    let params = input.generics.params.iter().map(|param| match param {
        syn::GenericParam::Type(param) => {
            let (name, bounds) = (&param.ident, &param.bounds);
            quote!(#name: #bounds)
        }
        syn::GenericParam::Const(param) => {
            let (name, ty) = (&param.ident, &param.ty);
            quote!(const #name: #ty)
        }
        syn::GenericParam::Lifetime(param) => quote!(#param),
    });
    let params: Vec<_> = params.collect();
    let publishable = (!args.receive_only).then(|| {
        quote! {
            impl<#(#params),*> __p::ToPayload for #name #ty_generics #where_clause {
                fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
                    ::core::result::Result::Ok(__p::Cow::Borrowed(&[]))
                }
            }
            impl<#(#params),*> __p::Publishable for #name #ty_generics #where_clause {
                fn to_channel(&self) -> __p::Written<::std::string::String> {
                    ::core::result::Result::Ok(::std::string::String::new())
                }
            }
        }
    });
    quote! {
        const _: () = {
            use #krate::__private as __p;
            impl<#(#params),*> __p::PushMessage for #name #ty_generics #where_clause {
                const SUBSCRIPTIONS: &'static [__p::Subscription] =
                    &[__p::Subscription::from_static(__p::Kind::Channel, "")];
            }
            impl<'__p, #(#params,)* __S> __p::FromPush<'__p, __S> for #name #ty_generics #where_clause {
                const MESSAGE: ::core::option::Option<__p::Message> =
                    ::core::option::Option::Some(__p::Message::of::<Self>());
                fn from_push(_: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
                    ::core::result::Result::Err(__p::Rejection::new(""))
                }
            }
            #publishable
        };
    }
}
