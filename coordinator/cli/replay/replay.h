#pragma once

#include <string>

#include "coordinator/cli/context.h"

namespace firebreak::cli {

/// `firebreak replay`: what the engine would have said of a recording. See docs/replay.md.
struct ReplayOrder {
  std::string file;     ///< A CSV, an OctoPrint serial.log, a klippy.log, or a black box.
  std::string printer;  ///< --printer: of a black box.
  int boots_back = 0;   ///< --boot: of a black box.
  std::string model;    ///< --model: models as `commission` writes them.
  std::string learn;    ///< --learn: the CSV of a supervised heat-up.
  std::string batch;    ///< --batch: a folder of *.trace.csv.
  std::string svg;      ///< --svg: draw into this file.
};

Done replay_recording(Context& context, const ReplayOrder& order);

}  // namespace firebreak::cli
