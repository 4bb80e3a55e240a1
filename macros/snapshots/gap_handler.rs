#[gap_handler]
async fn resync(gap: Gap, State(db): State<Db>) -> Result<(), DbError> {
    db.reload().await
}
// becomes
#[doc(hidden)]
#[allow(non_camel_case_types)]
struct resync {}
const _: () = {
    use ::redis_push::__private as __p;
    const _: () = __p::check_gap_arg::<Gap, __p::AnyState>();
    const _: () = __p::check_gap_state_arg::<State<Db>, __p::AnyState>();
    impl<__S: ::core::marker::Sync> __p::GapHandler<__S> for resync
    where
        for<'__p> Gap: __p::FromGap<'__p, __S>,
        for<'__p> State<Db>: __p::FromGap<'__p, __S>,
    {
        async fn handle(&self, __gap: &__p::Gap, __state: &__S) -> __p::Handled {
            __p::outcome::<
                Result<(), DbError>,
            >(resync(__p::gap_arg(__gap, __state)?, __p::gap_arg(__gap, __state)?).await)
        }
    }
};
