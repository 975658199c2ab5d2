// Runs a fuzz entry without libFuzzer: every seed file as it is, then a fixed number of mutations
// from a fixed seed, so that the everyday build (g++) exercises each entry the same way each time.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::size_t max_input_bytes = 64 * 1024;
inline constexpr int mutations = 20000;

void read_seeds(const std::filesystem::path& path, std::vector<Bytes>& seeds) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) read_seeds(entry.path(), seeds);
    }
    return;
  }
  std::ifstream file(path, std::ios::binary);
  Bytes bytes(std::istreambuf_iterator<char>(file), {});
  bytes.resize(std::min(bytes.size(), max_input_bytes));
  seeds.push_back(std::move(bytes));
}

std::size_t pick(std::mt19937_64& random, std::size_t below) {
  return below == 0 ? 0 : random() % below;
}

void mutate(Bytes& bytes, const std::vector<Bytes>& seeds, std::mt19937_64& random) {
  static constexpr std::uint8_t interesting[] = {0x00, 0xFF, 0x7F, 0x80, '\n', '\r', '"', '{', '}',
                                                 '[',  ']',  ':',  '-',  '0',  '9',  'N', '*', 'T'};
  const auto steps = 1 + pick(random, 8);
  for (std::size_t i = 0; i < steps; ++i) {
    const auto at = pick(random, bytes.size() + 1);
    const auto where = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random() % 6) {
      case 0:
        if (at < bytes.size()) bytes[at] ^= static_cast<std::uint8_t>(1U << (random() % 8));
        break;
      case 1: bytes.insert(where, interesting[pick(random, std::size(interesting))]); break;
      case 2:
        if (at < bytes.size()) bytes.erase(where);
        break;
      case 3: bytes.resize(at); break;
      case 4: {
        const auto& other = seeds[pick(random, seeds.size())];
        const auto from = pick(random, other.size());
        const auto count = pick(random, std::min<std::size_t>(other.size() - from, 64) + 1);
        bytes.insert(where, other.begin() + static_cast<std::ptrdiff_t>(from),
                     other.begin() + static_cast<std::ptrdiff_t>(from + count));
        break;
      }
      default:
        if (at < bytes.size()) bytes[at] = interesting[pick(random, std::size(interesting))];
    }
  }
  if (bytes.size() > max_input_bytes) bytes.resize(max_input_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Bytes> seeds;
  for (int i = 1; i < argc; ++i) read_seeds(argv[i], seeds);
  seeds.emplace_back();
  for (const auto& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());

  std::mt19937_64 random(20260101);
  for (int i = 0; i < mutations; ++i) {
    // Long recordings are cut to a window, so that one mutation costs microseconds.
    const auto& seed = seeds[pick(random, seeds.size())];
    const auto from = pick(random, seed.size());
    const auto size = std::min<std::size_t>(seed.size() - from, 2048);
    Bytes bytes(seed.begin() + static_cast<std::ptrdiff_t>(from),
                seed.begin() + static_cast<std::ptrdiff_t>(from + size));
    mutate(bytes, seeds, random);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu seeds and %d mutations\n", seeds.size(), mutations);
  return 0;
}
