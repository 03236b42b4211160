//! The layer store on a real directory.

use super::*;

const LAYER_BYTES: usize = 64 * 1024;

fn key(name: &str) -> Key {
    Key::base(name, 1, false)
}

fn put(store: &Arc<LayerStore>, name: &str, parent: Option<&Hold>) -> Hold {
    let id = store.new_layer();
    std::fs::write(store.path(&id), vec![1; LAYER_BYTES]).unwrap();
    store.keep(id, &key(name), parent.map(Hold::id)).unwrap()
}

#[test]
fn a_kept_layer_is_found_with_its_parents_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = LayerStore::open(directory.path(), u64::MAX).unwrap();
    let first = put(&store, "first", None);
    let second = put(&store, "second", Some(&first));
    let expected = vec![store.path(first.id()), store.path(second.id())];
    drop((first, second, store));

    let store = LayerStore::open(directory.path(), u64::MAX).unwrap();
    let found = store.find(&key("second")).unwrap();
    assert_eq!(store.chain(found.id()), expected);
    assert!(store.find(&key("third")).is_none());
}

#[test]
fn what_an_interrupted_build_left_is_gone_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = LayerStore::open(directory.path(), u64::MAX).unwrap();
    let first = put(&store, "first", None);
    let second = put(&store, "second", Some(&first));
    let unfinished = store.path(&store.new_layer());
    std::fs::write(&unfinished, "x").unwrap();
    // A parent that was lost takes its children with it.
    std::fs::remove_file(store.path(first.id())).unwrap();
    let paths = [unfinished, store.path(second.id())];
    drop((first, second, store));

    let store = LayerStore::open(directory.path(), u64::MAX).unwrap();
    assert!(store.find(&key("second")).is_none());
    for path in paths {
        assert!(!path.exists());
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn eviction_takes_the_least_recently_used_and_nothing_in_use_or_stood_upon() {
    let directory = tempfile::tempdir().unwrap();
    let store = LayerStore::open(directory.path(), 2 * LAYER_BYTES as u64).unwrap();
    let base = put(&store, "base", None);
    let held = put(&store, "held", Some(&base));
    let old = put(&store, "old", Some(&base));
    let young = put(&store, "young", Some(&base));
    drop((base, old, young));
    store.find(&key("old")).unwrap();
    store.evict().unwrap();
    // Within the budget only the held layer and what it stands on fit.
    assert!(store.find(&key("old")).is_none() && store.find(&key("young")).is_none());
    assert!(store.find(&key("base")).is_some() && store.find(&key("held")).is_some());
    drop(held);
}

#[test]
fn of_two_unused_layers_the_one_used_longer_ago_goes() {
    let directory = tempfile::tempdir().unwrap();
    let store = LayerStore::open(directory.path(), LAYER_BYTES as u64).unwrap();
    drop(put(&store, "a", None));
    drop(put(&store, "b", None));
    drop(store.find(&key("a")).unwrap());
    store.evict().unwrap();
    assert!(store.find(&key("a")).is_some());
    assert!(store.find(&key("b")).is_none());
}
