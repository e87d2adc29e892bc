//! Lists: order, filters, pages.

use bytes::Bytes;
use store::{EmbeddedStore, ExecutionId, ListQuery, Order, Store, StoreError};

use crate::backend::{Backend, With, done, id, id_in, listing, next, start};

const ALL: ListQuery =
    ListQuery { group: None, status: None, cursor: None, limit: 100, order: Order::NewestFirst };

async fn names(store: &EmbeddedStore, query: ListQuery) -> Vec<ExecutionId> {
    Store::list(store, query).await.unwrap().rows.into_iter().map(|(execution, _)| execution).collect()
}

pub(crate) async fn newest_come_first_and_pages_meet(backend: &Backend) {
    let store = backend.open();
    // Three share a time: they come in the order of their ids.
    let times = [-5, 0, 7, 7, 7, 1000, i64::MAX];
    for (number, sort_ms) in (0_u8..).zip(times) {
        done(&store, start(id_in(9, number)).listed(listing(1, 1, sort_ms))).await;
    }
    let expected = [6, 5, 2, 3, 4, 1, 0].map(|number| id_in(9, number));
    assert_eq!(names(&store, ALL).await, expected);
    for limit in 1..=expected.len() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut seen = Vec::new();
            let mut query = ListQuery { limit, order, ..ALL };
            loop {
                let page = Store::list(&store, query.clone()).await.unwrap();
                assert!(page.rows.len() == limit || page.next.is_none());
                seen.extend(page.rows.into_iter().map(|(execution, _)| execution));
                let Some(next) = page.next else { break };
                query.cursor = Some(next);
            }
            if order == Order::OldestFirst {
                seen.reverse();
            }
            assert_eq!(seen, expected, "{order:?} in pages of {limit}");
        }
    }
    assert_eq!(names(&store, ListQuery { limit: 0, ..ALL }).await, []);
}

pub(crate) async fn filters_narrow_and_follow_the_status(backend: &Backend) {
    let store = backend.open();
    let executions: Vec<_> = (0..8).map(|number| id_in(number * 30, number)).collect();
    for (number, execution) in (0_u8..).zip(&executions) {
        done(&store, start(*execution).listed(listing(number % 2, number / 4, number.into()))).await;
    }
    let expect = async |group: Option<u8>, status, numbers: &[usize]| {
        let query = ListQuery { group: group.map(|group| [group; 16]), status, ..ALL };
        let expected: Vec<_> = numbers.iter().map(|number| executions[*number]).collect();
        assert_eq!(names(&store, query).await, expected, "group {group:?}, status {status:?}");
    };
    expect(None, None, &[7, 6, 5, 4, 3, 2, 1, 0]).await;
    expect(Some(0), None, &[6, 4, 2, 0]).await;
    expect(None, Some(1), &[7, 6, 5, 4]).await;
    expect(Some(1), Some(0), &[3, 1]).await;
    expect(Some(2), None, &[]).await;
    expect(Some(1), Some(9), &[]).await;
    done(&store, next(executions[1], 1).listed(listing(1, 1, 1))).await;
    expect(Some(1), Some(0), &[3]).await;
    expect(Some(1), Some(1), &[7, 5, 1]).await;
    expect(None, None, &[7, 6, 5, 4, 3, 2, 1, 0]).await;
}

pub(crate) async fn a_row_is_listed_under_each_of_its_groups(backend: &Backend) {
    let store = backend.open();
    let (a, b) = (id("a"), id("b"));
    let mut row = listing(1, 0, 10);
    row.also = vec![[2; 16], [3; 16]];
    done(&store, start(a).listed(row.clone())).await;
    done(&store, start(b).listed(listing(1, 0, 9))).await;
    let under = |group: u8, status| ListQuery { group: Some([group; 16]), status, ..ALL };
    assert_eq!(names(&store, under(1, None)).await, [a, b]);
    for group in [2, 3] {
        assert_eq!(names(&store, under(group, None)).await, [a]);
        assert_eq!(names(&store, under(group, Some(0))).await, [a]);
        assert_eq!(names(&store, under(group, Some(1))).await, []);
    }
    assert_eq!(names(&store, ALL).await, [a, b], "once each where no group is asked for");
    // It ends, and is in one group less.
    row.also.truncate(1);
    row.status = 1;
    done(&store, next(a, 1).listed(row.clone())).await;
    assert_eq!(Store::list(&store, under(2, Some(1))).await.unwrap().rows, [(a, row)]);
    assert_eq!(names(&store, under(2, Some(0))).await, []);
    assert_eq!(names(&store, under(3, None)).await, []);
    store.purge(a, 2).await.unwrap();
    assert_eq!(names(&store, under(2, None)).await, []);
}

pub(crate) async fn rows_are_counted_by_status(backend: &Backend) {
    let store = backend.open();
    let listed = async |store: &EmbeddedStore| store.usage().await.unwrap().listed;
    assert_eq!(listed(&store).await, []);
    let executions: Vec<_> = (0..5).map(|number| id_in(number * 40, number)).collect();
    let group = executions.iter().map(|execution| start(*execution).listed(listing(1, 0, 1)));
    store.commit(group.collect()).await.unwrap();
    assert_eq!(listed(&store).await, [(0, 5)]);
    // One ends, one is listed again as it was, one is refused, one goes on without a row.
    let ends = next(executions[0], 1).listed(listing(1, 3, 2));
    let stays = next(executions[1], 1).listed(listing(1, 0, 2));
    let refused = next(executions[2], 9).listed(listing(1, 3, 2));
    store.commit(vec![ends, stays, refused, next(executions[3], 1)]).await.unwrap();
    assert_eq!(listed(&store).await, [(0, 4), (3, 1)]);
    drop(store);
    let store = backend.open();
    assert_eq!(listed(&store).await, [(0, 4), (3, 1)], "after a restart");
    store.purge(executions[0], 2).await.unwrap();
    store.purge(executions[4], 7).await.unwrap();
    assert_eq!(listed(&store).await, [(0, 4)]);
    store.usage().await.unwrap();
}

pub(crate) async fn a_moved_row_leaves_its_old_places(backend: &Backend) {
    let store = backend.open();
    let a = id("a");
    done(&store, start(a).listed(listing(1, 1, 10))).await;
    done(&store, next(a, 1).listed(listing(2, 3, 20))).await;
    done(&store, next(a, 2)).await;
    let page = Store::list(&store, ALL).await.unwrap();
    assert_eq!(page.rows, [(a, listing(2, 3, 20))]);
    for (group, status) in
        [(Some([1; 16]), None), (None, Some(1)), (Some([1; 16]), Some(1)), (Some([2; 16]), Some(1))]
    {
        assert_eq!(names(&store, ListQuery { group, status, ..ALL }).await, []);
    }
    // A new body in the same place.
    let mut row = listing(2, 3, 20);
    row.body = Bytes::from_static(b"another");
    done(&store, next(a, 3).listed(row.clone())).await;
    assert_eq!(Store::list(&store, ALL).await.unwrap().rows, [(a, row)]);
}

pub(crate) async fn a_cursor_that_is_none_is_refused(backend: &Backend) {
    let store = backend.open();
    for cursor in [&b""[..], b"x", &[0; 25]] {
        let query = ListQuery { cursor: Some(Bytes::copy_from_slice(cursor)), ..ALL };
        assert_eq!(Store::list(&store, query).await, Err(StoreError::BadCursor));
    }
    assert_eq!(names(&store, ALL).await, [], "a refused call leaves the store working");
}

pub(crate) async fn rows_added_between_pages_do_not_shift_them(backend: &Backend) {
    let store = backend.open();
    for number in 0..4 {
        done(&store, start(id_in(1, number)).listed(listing(1, 1, number.into()))).await;
    }
    let first = Store::list(&store, ListQuery { limit: 2, ..ALL }).await.unwrap();
    done(&store, start(id("newer")).listed(listing(1, 1, 99))).await;
    let rest = names(&store, ListQuery { cursor: first.next, ..ALL }).await;
    assert_eq!(rest, [id_in(1, 1), id_in(1, 0)]);
}
