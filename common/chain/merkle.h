#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/chain/sha256.h"

namespace firebreak::chain {

/// RFC 6962 §2.1: SHA-256(0x00 || data).
[[nodiscard]] Digest leaf_hash(Bytes data) noexcept;
/// RFC 6962 §2.1: SHA-256(0x01 || left || right).
[[nodiscard]] Digest node_hash(const Digest& left, const Digest& right) noexcept;
/// The head of a tree without leaves: SHA-256 of nothing.
[[nodiscard]] Digest empty_tree_head() noexcept;

/// The head of a growing RFC 6962 Merkle tree, without its leaves: it keeps one hash for each
/// complete subtree (at most 64), so that a store can save and restore it in one small row.
/// Not thread-safe.
class TreeHead {
 public:
  TreeHead() = default;

  /// A head as peaks() and size() gave it. bad_input: the count does not fit the size.
  [[nodiscard]] static Result<TreeHead> restore(std::uint64_t size, std::span<const Digest> peaks);

  /// Adds one leaf: leaf_hash(canonical bytes). O(log size), amortised O(1).
  void append(const Digest& leaf);

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// MTH of all leaves so far.
  [[nodiscard]] Digest root() const noexcept;
  /// Heads of the complete subtrees, largest first.
  [[nodiscard]] std::span<const Digest> peaks() const noexcept { return peaks_; }

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> peaks_;
};

/// PATH(index, leaves): the audit path that proves a leaf. bad_input: no such leaf.
[[nodiscard]] Result<std::vector<Digest>> inclusion_path(std::span<const Digest> leaves,
                                                         std::uint64_t index);
/// True when `path` proves that `leaf` is number `index` of the tree of `size` leaves under `root`.
[[nodiscard]] bool verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                                    std::span<const Digest> path, const Digest& root) noexcept;

/// PROOF(old_size, leaves): proves that the first `old_size` leaves are a prefix. bad_input: 0 or
/// more than there are.
[[nodiscard]] Result<std::vector<Digest>> consistency_path(std::span<const Digest> leaves,
                                                           std::uint64_t old_size);
/// True when `path` proves that the tree under `old_root` is a prefix of the one under `new_root`.
[[nodiscard]] bool verify_consistency(std::uint64_t old_size, const Digest& old_root,
                                      std::uint64_t new_size, const Digest& new_root,
                                      std::span<const Digest> path) noexcept;

}  // namespace firebreak::chain
