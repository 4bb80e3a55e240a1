//! What is generated beside an error: the names that the rest of the crate uses, without any
//! checks. One mistake is then one error.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use super::glue::handler_type;
use crate::ast::Function;
use crate::ast::generics::impl_params;
use crate::attr::Args;

/// Returns a push handler that does nothing.
pub(crate) fn push_handler(args: &Args, function: &Function) -> TokenStream {
    stand_in(
        args,
        function,
        &quote!(Handler),
        &quote! {
            fn spec(&self) -> __p::Spec {
                __p::Spec::new("")
            }
            async fn handle(&self, _: __p::Push<'_>, _: &__S) -> __p::Handled {
                ::core::result::Result::Ok(())
            }
        },
    )
}

/// Returns a gap handler that does nothing.
pub(crate) fn gap_handler(args: &Args, function: &Function) -> TokenStream {
    stand_in(
        args,
        function,
        &quote!(GapHandler),
        &quote! {
            async fn handle(&self, _: &__p::Gap, _: &__S) -> __p::Handled {
                ::core::result::Result::Ok(())
            }
        },
    )
}

/// Returns the type of a handler with these methods of a trait.
fn stand_in(
    args: &Args,
    function: &Function,
    handler_trait: &TokenStream,
    methods: &TokenStream,
) -> TokenStream {
    if function.is_method() {
        return TokenStream::new();
    }
    let (krate, name) = (args.krate(), function.name());
    let items = quote! {
        const _: () = {
            use #krate::__private as __p;
            impl<__S: ::core::marker::Sync> __p::#handler_trait<__S> for #name {
                #methods
            }
        };
    };
    handler_type(args, function, &items)
}

/// Returns the trait impls of a message type that is never received, with the functions that make
/// its addresses.
pub(crate) fn message(args: &Args, input: &DeriveInput, address: &TokenStream) -> TokenStream {
    let krate = args.krate();
    let name = &input.ident;
    let (_, ty_generics, where_clause) = input.generics.split_for_impl();
    let params: Vec<_> = impl_params(&input.generics).collect();
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
            impl<'__p, #(#params,)* __S> __p::FromPush<'__p, __S> for #name #ty_generics
            #where_clause
            {
                const MESSAGE: ::core::option::Option<__p::MessageDescriptor> =
                    ::core::option::Option::Some(__p::MessageDescriptor::of::<Self>());
                fn from_push(_: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
                    ::core::result::Result::Err(__p::Rejection::new(""))
                }
            }
            #publishable
            #address
        };
    }
}
