#include "agent/guard/blackbox/put_aside.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace firebreak::guard {
namespace {

namespace fs = std::filesystem;

// The numbers n for which STEM.corrupt-n.db is in the folder, ascending.
std::vector<int> numbers_in(const fs::path& folder, const std::string& prefix) {
  std::vector<int> numbers;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(".db")) continue;
    int n = 0;
    const char* begin = name.data() + prefix.size();
    const char* stop = name.data() + name.size() - 3;
    if (std::from_chars(begin, stop, n).ptr == stop && n > 0) numbers.push_back(n);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

fs::path with_suffix(fs::path path, const char* suffix) { return path += suffix; }

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)::fsync(fd);
  ::close(fd);
}

}  // namespace

Result<fs::path> put_aside(const fs::path& database) {
  const fs::path folder = database.parent_path();
  const std::string prefix = database.stem().string() + ".corrupt-";
  std::vector<int> numbers = numbers_in(folder, prefix);
  const int next = numbers.empty() ? 1 : numbers.back() + 1;
  const auto name = [&](int n) { return folder / (prefix + std::to_string(n) + ".db"); };
  std::error_code error;
  // The log goes first: left behind, it would be taken for the log of the new database.
  if (fs::exists(with_suffix(database, "-wal"), error)) {
    fs::rename(with_suffix(database, "-wal"), with_suffix(name(next), "-wal"), error);
    if (error) {
      return fail(ErrorCode::unavailable,
                  database.string() + "-wal cannot be put aside: " + error.message());
    }
  }
  fs::remove(with_suffix(database, "-shm"), error);
  fs::remove(with_suffix(database, "-journal"), error);
  fs::rename(database, name(next), error);
  if (error == std::errc::no_such_file_or_directory) {
    return fail(ErrorCode::not_found, database.string() + " is not there");
  }
  if (error) {
    return fail(ErrorCode::unavailable,
                database.string() + " cannot be put aside: " + error.message());
  }
  numbers.push_back(next);
  for (std::size_t i = 0; i + corrupt_files_kept < numbers.size(); ++i) {
    fs::remove(name(numbers[i]), error);
    fs::remove(with_suffix(name(numbers[i]), "-wal"), error);
  }
  sync_folder(folder);
  return name(next);
}

}  // namespace firebreak::guard
