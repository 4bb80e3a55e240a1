//! Sorted sets: scores, ranks, ranges.

use tests::harness::Test;
use tests::{Server, tests};

use super::{replies_and_events, replies_in_resp2};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        scores_are_set_and_read,
        zadd_respects_its_conditions,
        scores_are_incremented,
        scores_may_be_infinite,
        zadd_refuses_wrong_arguments,
        members_are_ranked,
        members_are_selected_by_rank,
        members_are_selected_by_score,
        range_commands_refuse_wrong_arguments,
        members_are_removed,
        members_are_popped,
        sorted_sets_reply_in_resp2,
    ]
}

pub(crate) fn since_7() -> Vec<Test<(Server,)>> {
    tests![
        scores_are_written_in_the_servers_spelling,
        a_negative_count_is_refused,
    ]
}

async fn scores_are_set_and_read(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z 1 a 2.5 b", ":2", "zadd z"),
            ("ZADD z 1 a", ":0", ""),
            ("ZADD z 3 a 4 c", ":1", "zadd z"),
            ("ZADD z CH 5 a 4 c 6 d", ":2", "zadd z"),
            ("ZADD z 7 a", ":0", "zadd z"),
            ("ZSCORE z a", ",7", ""),
            ("ZSCORE z b", ",2.5", ""),
            ("ZSCORE z none", "_", ""),
            ("ZSCORE none a", "_", "keymiss none"),
            ("ZMSCORE z a none b", "[,7 _ ,2.5]", ""),
            ("ZMSCORE none a b", "[_ _]", "keymiss none"),
            ("ZCARD z", ":4", ""),
            ("ZCARD none", ":0", "keymiss none"),
            ("EXPIRE z 100", ":1", "expire z"),
            ("ZADD z 8 a", ":0", "zadd z"),
            ("TTL z", ":100", ""),
        ],
    )
    .await;
}

async fn zadd_respects_its_conditions(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z XX 1 a", ":0", ""),
            ("EXISTS z", ":0", "keymiss z"),
            ("ZADD z NX 5 a 6 b", ":2", "zadd z"),
            ("ZADD z NX 7 a 7 c", ":1", "zadd z"),
            ("ZADD z XX CH 8 a 8 d", ":1", "zadd z"),
            ("ZADD z GT CH 7 a 9 b", ":1", "zadd z"),
            ("ZADD z LT CH 7 a 9 b", ":1", "zadd z"),
            // Both add members that do not exist.
            ("ZADD z GT 1 e", ":1", "zadd z"),
            ("ZADD z LT 1 f", ":1", "zadd z"),
            ("ZADD z XX GT 1 g", ":0", ""),
            (
                "ZRANGE z 0 -1 WITHSCORES",
                r#"[["e" ,1] ["f" ,1] ["a" ,7] ["c" ,7] ["b" ,9]]"#,
                "",
            ),
        ],
    )
    .await;
}

async fn scores_are_incremented(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZINCRBY z 2.5 a", ",2.5", "zincr z"),
            ("ZINCRBY z -4 a", ",-1.5", "zincr z"),
            ("ZINCRBY z 0 a", ",-1.5", ""),
            ("ZADD z INCR 3 a", ",1.5", "zincr z"),
            ("ZADD z NX INCR 1 a", "_", ""),
            ("ZADD z XX INCR 1 b", "_", ""),
            ("ZADD z GT INCR -1 a", "_", ""),
            ("ZADD z NX INCR 1 b", ",1", "zincr z"),
            ("ZSCORE z a", ",1.5", ""),
        ],
    )
    .await;
}

async fn scores_may_be_infinite(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z inf a -inf b +inf c 0 d", ":4", "zadd z"),
            (
                "ZRANGE z 0 -1 WITHSCORES",
                r#"[["b" ,-inf] ["d" ,0] ["a" ,inf] ["c" ,inf]]"#,
                "",
            ),
            (
                "ZINCRBY z -inf a",
                "-ERR resulting score is not a number (NaN)",
                "",
            ),
            ("ZRANGE z (-inf +inf BYSCORE", r#"["d" "a" "c"]"#, ""),
            ("ZCOUNT z -inf (inf", ":2", ""),
        ],
    )
    .await;
}

async fn zadd_refuses_wrong_arguments(server: Server) {
    let both = "-ERR GT, LT, and/or NX options at the same time are not compatible";
    let mut client = server.raw3().await;
    for (command, reply) in [
        (
            "ZADD z",
            "-ERR wrong number of arguments for 'zadd' command",
        ),
        (
            "ZADD z 1",
            "-ERR wrong number of arguments for 'zadd' command",
        ),
        ("ZADD z 1 a 2", "-ERR syntax error"),
        ("ZADD z FOO 1 a", "-ERR syntax error"),
        ("ZADD z x a", "-ERR value is not a valid float"),
        ("ZADD z 1 a x b", "-ERR value is not a valid float"),
        ("ZADD z nan a", "-ERR value is not a valid float"),
        ("ZADD z 1e400 a", "-ERR value is not a valid float"),
        ("ZINCRBY z x a", "-ERR value is not a valid float"),
        (
            "ZADD z NX XX 1 a",
            "-ERR XX and NX options at the same time are not compatible",
        ),
        ("ZADD z NX GT 1 a", both),
        ("ZADD z NX LT 1 a", both),
        ("ZADD z GT LT 1 a", both),
        (
            "ZADD z INCR 1 a 2 b",
            "-ERR INCR option supports a single increment-element pair",
        ),
        ("EXISTS z", ":0"),
    ] {
        client.expect(command, &[reply]).await;
    }
}

async fn members_are_ranked(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z 1 b 1 a 2 c", ":3", "zadd z"),
            ("ZRANK z a", ":0", ""),
            ("ZRANK z c", ":2", ""),
            ("ZREVRANK z a", ":2", ""),
            ("ZREVRANK z c", ":0", ""),
            ("ZRANK z none", "_", ""),
            ("ZREVRANK none a", "_", "keymiss none"),
        ],
    )
    .await;
}

async fn members_are_selected_by_rank(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z 1 a 1 b 2 c 3 d", ":4", "zadd z"),
            ("ZRANGE z 0 -1", r#"["a" "b" "c" "d"]"#, ""),
            ("ZRANGE z 1 2", r#"["b" "c"]"#, ""),
            ("ZRANGE z -2 -1", r#"["c" "d"]"#, ""),
            ("ZRANGE z -100 0", r#"["a"]"#, ""),
            ("ZRANGE z 2 1", "[]", ""),
            ("ZRANGE z 0 1 REV", r#"["d" "c"]"#, ""),
            ("ZRANGE z 0 1 withscores rev", r#"[["d" ,3] ["c" ,2]]"#, ""),
            ("ZREVRANGE z 0 1", r#"["d" "c"]"#, ""),
            ("ZREVRANGE z 3 -1 WITHSCORES", r#"[["a" ,1]]"#, ""),
            ("ZRANGE none 0 -1", "[]", "keymiss none"),
            ("ZRANGE none 0 -1 WITHSCORES", "[]", "keymiss none"),
        ],
    )
    .await;
}

async fn members_are_selected_by_score(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z 1 a 1 b 2 c 3 d 4 e", ":5", "zadd z"),
            ("ZRANGE z 1 3 BYSCORE", r#"["a" "b" "c" "d"]"#, ""),
            ("ZRANGE z (1 (3 BYSCORE", r#"["c"]"#, ""),
            ("ZRANGE z 3 1 BYSCORE", "[]", ""),
            ("ZRANGE z -inf +inf BYSCORE LIMIT 1 2", r#"["b" "c"]"#, ""),
            ("ZRANGE z -inf +inf BYSCORE LIMIT 3 -1", r#"["d" "e"]"#, ""),
            ("ZRANGE z -inf +inf BYSCORE LIMIT -1 2", "[]", ""),
            ("ZRANGE z -inf +inf BYSCORE LIMIT 9 2", "[]", ""),
            ("ZRANGE z 3 (1 BYSCORE REV", r#"["d" "c"]"#, ""),
            (
                "ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2 WITHSCORES",
                r#"[["d" ,3] ["c" ,2]]"#,
                "",
            ),
            ("ZRANGEBYSCORE z 1 2", r#"["a" "b" "c"]"#, ""),
            (
                "ZRANGEBYSCORE z 1 2 WITHSCORES LIMIT 1 1",
                r#"[["b" ,1]]"#,
                "",
            ),
            ("ZREVRANGEBYSCORE z (4 2", r#"["d" "c"]"#, ""),
            ("ZREVRANGEBYSCORE z 4 2 LIMIT 0 1", r#"["e"]"#, ""),
            ("ZCOUNT z 1 2", ":3", ""),
            ("ZCOUNT z (1 2", ":1", ""),
            ("ZCOUNT z 3 1", ":0", ""),
            ("ZCOUNT none 0 1", ":0", "keymiss none"),
        ],
    )
    .await;
}

async fn range_commands_refuse_wrong_arguments(server: Server) {
    let limit =
        "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
    let not_a_float = "-ERR min or max is not a float";
    let not_a_number = "-ERR value is not an integer or out of range";
    let mut client = server.raw3().await;
    for (command, reply) in [
        ("ZRANGE z 0 -1 LIMIT 1 2", limit),
        ("ZREVRANGE z 0 -1 LIMIT 1 2", limit),
        ("ZRANGE z 0 -1 FOO", "-ERR syntax error"),
        ("ZRANGE z 0 1 BYSCORE LIMIT 1", "-ERR syntax error"),
        ("ZREVRANGE z 0 -1 REV", "-ERR syntax error"),
        ("ZRANGEBYSCORE z 0 1 BYSCORE", "-ERR syntax error"),
        ("ZRANGE z x -1", not_a_number),
        ("ZRANGE z 0 1 BYSCORE LIMIT x 1", not_a_number),
        ("ZREMRANGEBYRANK z x 1", not_a_number),
        ("ZRANGE z x 3 BYSCORE", not_a_float),
        ("ZRANGEBYSCORE z 1 (x", not_a_float),
        ("ZCOUNT z nan 1", not_a_float),
        ("ZREMRANGEBYSCORE z x 1", not_a_float),
    ] {
        client.expect(command, &[reply]).await;
    }
}

async fn members_are_removed(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z 1 a 2 b 3 c 4 d 5 e", ":5", "zadd z"),
            ("ZREM z a none", ":1", "zrem z"),
            ("ZREM z none", ":0", ""),
            ("ZREM none a", ":0", ""),
            ("ZREMRANGEBYSCORE z (2 3", ":1", "zremrangebyscore z"),
            ("ZREMRANGEBYSCORE z 100 200", ":0", ""),
            ("ZREMRANGEBYRANK z 0 0", ":1", "zremrangebyrank z"),
            ("ZREMRANGEBYRANK z 9 9", ":0", ""),
            ("ZREMRANGEBYRANK none 0 -1", ":0", ""),
            ("ZRANGE z 0 -1", r#"["d" "e"]"#, ""),
            (
                "ZREMRANGEBYSCORE z -inf +inf",
                ":2",
                "zremrangebyscore z, del z",
            ),
            ("ZADD z 1 a", ":1", "zadd z"),
            ("ZREM z a", ":1", "zrem z, del z"),
            ("EXISTS z", ":0", "keymiss z"),
        ],
    )
    .await;
}

async fn members_are_popped(server: Server) {
    replies_and_events(
        &server,
        &[
            ("ZADD z 1 a 2 b 3 c 4 d 5 e", ":5", "zadd z"),
            ("ZPOPMIN z", r#"["a" ,1]"#, "zpopmin z"),
            ("ZPOPMAX z 2", r#"[["e" ,5] ["d" ,4]]"#, "zpopmax z"),
            ("ZPOPMIN z 0", "[]", ""),
            ("ZPOPMIN z 9", r#"[["b" ,2] ["c" ,3]]"#, "zpopmin z, del z"),
            ("ZPOPMIN z", "[]", ""),
            ("ZPOPMAX z 2", "[]", ""),
        ],
    )
    .await;
}

async fn sorted_sets_reply_in_resp2(server: Server) {
    replies_in_resp2(
        &server,
        &[
            ("ZADD z 1 a 2.5 b inf c", ":3"),
            ("ZSCORE z b", "\"2.5\""),
            ("ZSCORE z none", "$-1"),
            ("ZMSCORE z a none", r#"["1" $-1]"#),
            ("ZINCRBY z 1 a", "\"2\""),
            ("ZADD z NX INCR 1 a", "$-1"),
            ("ZRANK z none", "$-1"),
            (
                "ZRANGE z 0 -1 WITHSCORES",
                r#"["a" "2" "b" "2.5" "c" "inf"]"#,
            ),
            ("ZPOPMAX z", r#"["c" "inf"]"#),
            ("ZPOPMAX z 1", r#"["b" "2.5"]"#),
        ],
    )
    .await;
}

async fn scores_are_written_in_the_servers_spelling(server: Server) {
    if matches!(&server, Server::Real(real) if real.binary().version() < (7, 2)) {
        // It writes 17 digits, where later servers and the broker write as many as are needed.
        return;
    }
    let mut client = server.raw3().await;
    for (score, written) in [
        ("0.1", "0.1"),
        ("-0", "0"),
        ("3.0", "3"),
        ("0.00001", "0.00001"),
        ("1e-7", "1e-7"),
        ("123456789.123", "123456789.123"),
        ("1234567.1234567", "1.2345671234567e+6"),
        ("17179869184", "17179869184"),
        ("1e18", "1000000000000000000"),
        ("123456789012345680000", "123456789012345680000"),
        ("1e20", "1e+20"),
        ("-1e300", "-1e+300"),
        ("5e-324", "5e-324"),
    ] {
        client.say(&format!("ZADD z {score} a")).await;
        client.hear().await;
        client.expect("ZSCORE z a", &[format!(",{written}")]).await;
    }
}

async fn a_negative_count_is_refused(server: Server) {
    let mut client = server.raw3().await;
    for command in ["ZPOPMIN z -1", "ZPOPMAX z x"] {
        client
            .expect(command, &["-ERR value is out of range, must be positive"])
            .await;
    }
}
