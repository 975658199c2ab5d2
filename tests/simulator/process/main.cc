// firebreak-sim: simulated printers on ptys, and the board that feeds them.
#include <csignal>
#include <cstdio>
#include <string>

#include "tests/simulator/process/config.h"
#include "tests/simulator/process/world.h"

int main(int argc, char** argv) {
  if (argc != 3 || std::string(argv[1]) != "--config") {
    std::fprintf(stderr, "usage: firebreak-sim --config sim.yaml\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::string error;
  const auto config = firebreak::sim::load_config(argv[2], &error);
  if (!config) {
    std::fprintf(stderr, "firebreak-sim: %s\n", error.c_str());
    return 2;
  }
  firebreak::sim::World world;
  error = world.open(*config);
  if (!error.empty()) {
    std::fprintf(stderr, "firebreak-sim: %s\n", error.c_str());
    return 1;
  }
  world.run();
  return 0;
}
