#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace firebreak::cli {

/// How many single letters must be added, removed, changed or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was most likely meant to be: a prefix, or at most a third of its
/// letters (at least one) away; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace firebreak::cli
