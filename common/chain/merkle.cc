#include "common/chain/merkle.h"

#include <bit>

namespace firebreak::chain {
namespace {

using Path = std::vector<Digest>;
using Leaves = std::span<const Digest>;

// The largest power of two smaller than n (n > 1): where RFC 6962 splits a tree.
std::size_t split(std::size_t n) noexcept { return std::bit_floor(n - 1); }

Digest root_of(Leaves leaves) {
  if (leaves.empty()) return empty_tree_head();
  TreeHead head;
  for (const Digest& leaf : leaves) head.append(leaf);
  return head.root();
}

void add_inclusion(Leaves leaves, std::uint64_t index, Path& path) {
  if (leaves.size() <= 1) return;
  const std::size_t k = split(leaves.size());
  if (index < k) {
    add_inclusion(leaves.first(k), index, path);
    path.push_back(root_of(leaves.subspan(k)));
  } else {
    add_inclusion(leaves.subspan(k), index - k, path);
    path.push_back(root_of(leaves.first(k)));
  }
}

// SUBPROOF of RFC 6962 §2.1.2. `whole`: the old tree is a complete subtree of this one.
void add_consistency(Leaves leaves, std::uint64_t old_size, bool whole, Path& path) {
  if (old_size == leaves.size()) {
    if (!whole) path.push_back(root_of(leaves));
    return;
  }
  const std::size_t k = split(leaves.size());
  if (old_size <= k) {
    add_consistency(leaves.first(k), old_size, whole, path);
    path.push_back(root_of(leaves.subspan(k)));
  } else {
    add_consistency(leaves.subspan(k), old_size - k, false, path);
    path.push_back(root_of(leaves.first(k)));
  }
}

}  // namespace

Digest leaf_hash(Bytes data) noexcept {
  constexpr std::uint8_t prefix[] = {0x00};
  return sha256(prefix, data);
}

Digest node_hash(const Digest& left, const Digest& right) noexcept {
  constexpr std::uint8_t prefix[] = {0x01};
  return sha256(prefix, left, right);
}

Digest empty_tree_head() noexcept { return sha256({}); }

Result<TreeHead> TreeHead::restore(std::uint64_t size, Leaves peaks) {
  if (static_cast<std::size_t>(std::popcount(size)) != peaks.size()) {
    return fail(ErrorCode::bad_input, "a tree of " + std::to_string(size) + " leaves has " +
                                          std::to_string(std::popcount(size)) +
                                          " subtree heads, not " + std::to_string(peaks.size()));
  }
  TreeHead head;
  head.size_ = size;
  head.peaks_.assign(peaks.begin(), peaks.end());
  return head;
}

void TreeHead::append(const Digest& leaf) {
  Digest node = leaf;
  for (std::uint64_t size = size_; (size & 1) != 0; size >>= 1) {
    node = node_hash(peaks_.back(), node);
    peaks_.pop_back();
  }
  peaks_.push_back(node);
  ++size_;
}

Digest TreeHead::root() const noexcept {
  if (peaks_.empty()) return empty_tree_head();
  Digest node = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) node = node_hash(peaks_[i], node);
  return node;
}

Result<Path> inclusion_path(Leaves leaves, std::uint64_t index) {
  if (index >= leaves.size()) {
    return fail(ErrorCode::bad_input, "leaf " + std::to_string(index) + " is not in a tree of " +
                                          std::to_string(leaves.size()));
  }
  Path path;
  add_inclusion(leaves, index, path);
  return path;
}

bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                      std::span<const Digest> path, const Digest& root) noexcept {
  if (index >= size) return false;
  // RFC 9162 §2.1.3.2, the same tree with the algorithm written out.
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  Digest node = leaf;
  for (const Digest& sibling : path) {
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      node = node_hash(sibling, node);
      while ((fn & 1) == 0 && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      node = node_hash(node, sibling);
    }
    fn >>= 1, sn >>= 1;
  }
  return sn == 0 && node == root;
}

Result<Path> consistency_path(Leaves leaves, std::uint64_t old_size) {
  if (old_size == 0 || old_size > leaves.size()) {
    return fail(ErrorCode::bad_input, "no tree of " + std::to_string(old_size) +
                                          " leaves comes before one of " +
                                          std::to_string(leaves.size()));
  }
  Path path;
  add_consistency(leaves, old_size, true, path);
  return path;
}

bool verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t new_size,
                        const Digest& new_root, std::span<const Digest> path) noexcept {
  if (old_size == 0 || old_size > new_size) return false;
  if (old_size == new_size) return path.empty() && old_root == new_root;
  // RFC 9162 §2.1.4.2.
  std::size_t next = 0;
  Digest fr;
  if (std::has_single_bit(old_size)) {
    fr = old_root;
  } else {
    if (path.empty()) return false;
    fr = path[next++];
  }
  std::uint64_t fn = old_size - 1;
  std::uint64_t sn = new_size - 1;
  while ((fn & 1) != 0) fn >>= 1, sn >>= 1;
  Digest sr = fr;
  for (; next < path.size(); ++next) {
    const Digest& c = path[next];
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      fr = node_hash(c, fr);
      sr = node_hash(c, sr);
      while ((fn & 1) == 0 && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      sr = node_hash(sr, c);
    }
    fn >>= 1, sn >>= 1;
  }
  return sn == 0 && fr == old_root && sr == new_root;
}

}  // namespace firebreak::chain
