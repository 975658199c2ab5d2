"""Fast simulated heaters, and the model file of a printer that was commissioned with them: worked
out from the simulator's physics by docs/thermal-rules.md, sharing nothing with the product."""

import json

# 45 W in 10 J/K and 300 W in 300 J/K: as fast as generic-marlin allows a hotend to be, and half as
# fast as a bed, so that a heat-up takes half a minute.
HOTEND = {"full_watts": 45, "element_joules_per_kelvin": 1.5, "body_joules_per_kelvin": 8.5,
          "coupling_watts_per_kelvin": 3.0, "loss_watts_per_kelvin": 0.075, "loss_exponent": 1.15,
          "fan_loss_fraction": 0.35, "sensor_lag_seconds": 0.8}
BED = {"full_watts": 300, "element_joules_per_kelvin": 60, "body_joules_per_kelvin": 240,
       "coupling_watts_per_kelvin": 30, "loss_watts_per_kelvin": 0.95, "loss_exponent": 1.2,
       "fan_loss_fraction": 0.05, "sensor_lag_seconds": 2.0}
BODIES = {"hotend": HOTEND, "bed": BED}
ROOM_CELSIUS = 25


def model_of(body):
    """The numbers of docs/thermal-rules.md, with the doubts of a good heat-up."""
    element, rest = body["element_joules_per_kelvin"], body["body_joules_per_kelvin"]
    heater_lag = element * rest / (element + rest) / body["coupling_watts_per_kelvin"]
    return {
        "rise_kelvin_per_s": body["full_watts"] / (element + rest),
        "rise_slope_per_kelvin": 0,
        "loss_kelvin_per_s": 100 * body["loss_watts_per_kelvin"] / (element + rest),
        "loss_exponent": body["loss_exponent"],
        "fan_loss": body["fan_loss_fraction"],
        "flow_loss_per_mm3": 0,
        "heater_lag_s": heater_lag,
        "sensor_lag_s": body["sensor_lag_seconds"],
        "reservoir_rate_per_s": 0,
        "reservoir_lag_s": 60,
        "ambient_celsius": ROOM_CELSIUS,
        "rise_doubt_up": 0.07,
        "rise_doubt_down": 0.07,
        "loss_doubt": 0.3,
        "fan_doubt": 0.3,
        "lag_doubt_s": 0.1 + 0.25 * (heater_lag + body["sensor_lag_seconds"]),
        "residual": 0.02,
    }


def write_models(host, printer, hotend, bed):
    """Hands the guard, before it starts, the models of a printer that was commissioned."""
    folder = host.state_dir / "models"
    folder.mkdir(exist_ok=True)
    (folder / f"{printer}.json").write_text(
        json.dumps({"version": 1, "heaters": {"hotend": hotend, "bed": bed}}))
