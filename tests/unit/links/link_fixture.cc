#include "tests/unit/links/link_fixture.h"

#include <unistd.h>

namespace firebreak::guard {

void FakeKeeper::keep(std::string_view name, int fd) {
  forget(name);
  const int copy = fd >= 0 ? dup(fd) : -1;
  kept[std::string(name)] = copy;
}

void FakeKeeper::forget(std::string_view name) {
  const auto found = kept.find(std::string(name));
  if (found == kept.end()) return;
  if (found->second >= 0) close(found->second);
  kept.erase(found);
}

FakeKeeper::~FakeKeeper() {
  for (const auto& [name, fd] : kept) {
    if (fd >= 0) close(fd);
  }
}

}  // namespace firebreak::guard
