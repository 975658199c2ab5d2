#include "agent/guard/thermal/model_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

namespace firebreak::guard::thermal {
namespace {

using nlohmann::json;

constexpr int format_version = 1;
constexpr std::size_t file_bytes_max = 64 * 1024;
constexpr std::size_t heaters_max = 16;

struct Field {
  const char* name;
  float HeaterModel::*value;
};
constexpr std::array fields{
    Field{"rise_kelvin_per_s", &HeaterModel::rise_kelvin_per_s},
    Field{"rise_slope_per_kelvin", &HeaterModel::rise_slope_per_kelvin},
    Field{"loss_kelvin_per_s", &HeaterModel::loss_kelvin_per_s},
    Field{"loss_exponent", &HeaterModel::loss_exponent},
    Field{"fan_loss", &HeaterModel::fan_loss},
    Field{"flow_loss_per_mm3", &HeaterModel::flow_loss_per_mm3},
    Field{"heater_lag_s", &HeaterModel::heater_lag_s},
    Field{"sensor_lag_s", &HeaterModel::sensor_lag_s},
    Field{"reservoir_rate_per_s", &HeaterModel::reservoir_rate_per_s},
    Field{"reservoir_lag_s", &HeaterModel::reservoir_lag_s},
    Field{"ambient_celsius", &HeaterModel::ambient_celsius},
    Field{"rise_doubt_up", &HeaterModel::rise_doubt_up},
    Field{"rise_doubt_down", &HeaterModel::rise_doubt_down},
    Field{"loss_doubt", &HeaterModel::loss_doubt},
    Field{"fan_doubt", &HeaterModel::fan_doubt},
    Field{"lag_doubt_s", &HeaterModel::lag_doubt_s},
    Field{"residual", &HeaterModel::residual},
};

Result<HeaterModel> model_from(const std::string& heater, const json& value) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::bad_input, "model of " + heater + ": " + what);
  };
  if (!value.is_object()) return wrong("must be an object of numbers");
  HeaterModel model;
  for (const auto& field : fields) {
    const auto found = value.find(field.name);
    if (found == value.end() || !found->is_number()) {
      return wrong(std::string(field.name) + " is missing or no number");
    }
    model.*field.value = found->get<float>();
  }
  if (value.size() != fields.size()) return wrong("holds a number that this version does not know");
  model.learned = 1;
  if (!sane(model)) return wrong("holds a number that no heater has; learn it again");
  return model;
}

}  // namespace

json to_json(const ModelSet& models) {
  json heaters = json::object();
  for (const auto& [name, model] : models) {
    json numbers = json::object();
    for (const auto& field : fields) numbers[field.name] = model.*field.value;
    heaters[name] = std::move(numbers);
  }
  return {{"version", format_version}, {"heaters", std::move(heaters)}};
}

Result<ModelSet> models_from_json(const json& document) {
  const bool shaped = document.is_object() && document.value("version", json()) == format_version &&
                      document.contains("heaters") && document["heaters"].is_object() &&
                      document["heaters"].size() <= heaters_max;
  if (!shaped) {
    return fail(ErrorCode::bad_input,
                "no model file of this version: expected {\"version\":1,\"heaters\":{…}}");
  }
  ModelSet models;
  for (const auto& [name, value] : document["heaters"].items()) {
    auto model = model_from(name, value);
    if (!model) return fail(model.error());
    models[name] = *model;
  }
  return models;
}

Result<ModelSet> read_models(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::not_found, "cannot open " + file.string());
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max) {
    return fail(ErrorCode::bad_input, file.string() + ": larger than a model file can be");
  }
  const auto document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(ErrorCode::corrupt, file.string() + ": is no JSON");
  auto models = models_from_json(document);
  if (!models) return fail(models.error().within(file.string()));
  return models;
}

Result<void> write_models(const std::filesystem::path& file, const ModelSet& models) {
  const std::string text = to_json(models).dump(1) + "\n";
  const auto beside = file.string() + ".new";
  const auto failed = [&](const char* what) {
    return fail(ErrorCode::unavailable,
                std::string("cannot ") + what + " " + beside + ": " + std::strerror(errno));
  };
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return failed("create");
  const bool written =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  if (::close(fd) != 0 || !written) return failed("write");
  if (::rename(beside.c_str(), file.c_str()) != 0) return failed("rename");
  return {};
}

}  // namespace firebreak::guard::thermal
