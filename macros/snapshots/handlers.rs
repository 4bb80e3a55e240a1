const MOUNTS: Vec<Mount<()>> = handlers![on_order, alerts::on_alert.buffer(10)];
// becomes
const _: () = {
    use ::redis_push::__private as __p;
    __p::mounts([
        {
            use __p::stand_in::*;
            const _: () = {
                let _ = on_order;
                ::core::assert!(
                    __Handler::IS_HANDLER,
                    "`on_order` is not a push handler; annotate it with `#[push_handler]`"
                )
            };
            #[allow(unused_macros)]
            macro_rules! on_order {
                () => {};
            }
            use on_order as __Handler;
            __p::mount(__Handler {})
        },
        {
            use __p::stand_in::*;
            const _: () = {
                let _ = __Handler;
                ::core::assert!(
                    __Handler::IS_HANDLER,
                    "`on_alert` is not a push handler; annotate it with `#[push_handler]`"
                )
            };
            use alerts::on_alert as __Handler;
            __p::mount(__Handler {})
        }
            .buffer(10),
    ])
};
