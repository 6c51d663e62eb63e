"""What servos tell of themselves, by its names on Feetech's and Dynamixel's, and what is too much.

Shared by the preflight, which asks each servo before anything moves, and by `servo_watch.py`, which
goes on asking while it does.
"""

from typing import Any

VOLTAGE = ("Present_Voltage", "Present_Input_Voltage")
MIN_VOLTAGE = ("Min_Voltage_Limit",)
MAX_VOLTAGE = ("Max_Voltage_Limit",)
TEMPERATURE = ("Present_Temperature",)
MAX_TEMPERATURE = ("Max_Temperature_Limit", "Temperature_Limit")
STATUS = ("Status", "Hardware_Error_Status")
LOAD = ("Present_Load",)

# Warmer than this, a servo should rest; this near to its own limit it soon protects itself.
WARM_C = 55
HOT_MARGIN_C = 5
DEFAULT_MAX_C = 70
# Nearer than this to the lowest voltage it takes, a servo gives up under load.
VOLTAGE_MARGIN_V = 0.4

POWER_REMEDY = "check the arm's power supply and the cable between the servos"
COOL_REMEDY = "switch its power off and let it cool"
REST_REMEDY = "let it rest; does something hold it back?"
SHUT_OFF_REMEDY = "free the joint, let it cool, switch the arm's power off and on"


def register_of(bus: Any, motor: Any, names: tuple[str, ...]) -> str | None:
    """The first of `names` that a motor of this model has; None when it has none."""
    table = bus.model_ctrl_table[motor.model]
    return next((name for name in names if name in table), None)
