#pragma once

#include <array>
#include <string_view>

namespace firebreak::guard {

/// A line and what it means: each value as heater=celsius/target@duty, in the order of the line.
/// h: hotend by number, t: active tool, +: second heater of a tool, b: bed, c: chamber; `-` for
/// what the line does not say; W behind a duty: watts.
struct ReportCase {
  std::string_view line;
  std::string_view meaning;
};

/// Every form of a temperature line that research has found (Marlin, Prusa MK3 and Buddy,
/// RepRapFirmware, Klipper, FlashForge, OctoPrint's virtual printer).
inline constexpr std::array report_cases{
    // Marlin: M105, M155, waits.
    ReportCase{"ok T:209.87 /210.00 B:59.96 /60.00 @:71 B@:33",
               "ok t0=209.87/210@71 b0=59.96/60@33"},
    ReportCase{" T:209.87 /210.00 B:59.96 /60.00 @:71 B@:33", "t0=209.87/210@71 b0=59.96/60@33"},
    ReportCase{" T:209.87 /210.00 B:59.96 /60.00 @:71 B@:33 W:?",
               "wait t0=209.87/210@71 b0=59.96/60@33"},
    ReportCase{" T:209.87 /210.00 B:59.96 /60.00 @:71 B@:33 W:9",
               "wait t0=209.87/210@71 b0=59.96/60@33"},
    ReportCase{"ok T:19.9 /0.0 @:0", "ok t0=19.9/0@0"},
    ReportCase{"ok T:-14.00 /0.00 @:0", "ok t0=-14/0@0"},
    // Two hotends; on 2.0.9 the first `T0` is the active tool, so the last one counts.
    ReportCase{"T:200.0 /200.0 B:60.0 /60.0 T0:200.0 /200.0 T1:30.0 /0.0 @:64 B@:20 @0:64 @1:0",
               "t0=200/200@64 b0=60/60@20 h0=200/200@64 h1=30/0@0"},
    ReportCase{"T0:30.0 /0.0 B:60.0 /60.0 T0:200.0 /200.0 T1:30.0 /0.0 @:64 B@:20 @0:64 @1:0",
               "h0=200/200@64 b0=60/60@20 h1=30/0@0"},
    // Builds that show ADC counts, chamber, probe, cooler, board, redundant sensor.
    ReportCase{"ok T:24.99 /0.00 (812.4) B:24.50 /0.00 (81.4) @:0 B@:0",
               "ok t0=24.99/0@0 b0=24.5/0@0"},
    ReportCase{"ok T:20.0 /0.0 B:20.0 /0.0 C:35.0 /40.0 @:0 B@:0 C@:33",
               "ok t0=20/0@0 b0=20/0@0 c0=35/40@33"},
    ReportCase{"ok T:20.0 /0.0 C:35.0 /40.0 L:30.0 /20.0 @:0 C@:33 C@:12",
               "ok t0=20/0@0 c0=35/40@-"},
    ReportCase{"ok T:20.0 /0.0 L:30.0 /20.0 @:0 C@:12", "ok t0=20/0@0"},
    ReportCase{"ok T:20.0 /0.0 P:31.2 M:41.0 /0.0 R:20.1 /0.0 @:0", "ok t0=20/0@0"},
    // Prusa MK3: no target in its waits, and E is the tool.
    ReportCase{"T:209.8 /210.0 B:60.1 /60.0 T0:209.8 /210.0 @:58 B@:40 P:31.2 A:27.9",
               "t0=209.8/210@58 b0=60.1/60@40 h0=209.8/210@-"},
    ReportCase{"T:187.5 E:0 W:?", "wait h0=187.5/-@-"},
    ReportCase{"T:238.7 E:0 B:84.1", "wait h0=238.7/-@- b0=84.1/-@-"},
    ReportCase{"T:238.7 E:1 B:84.1", "wait h1=238.7/-@- b0=84.1/-@-"},
    ReportCase{"T:209.8 /210.0 B:60.0 /60.0 @:12W B@:40W", "t0=209.8/210@12W b0=60/60@40W"},
    // Prusa Buddy; on the Core One `C@` is the chamber's temperature.
    ReportCase{" T:210.02/210.00 B:60.00/60.00 X:38.1/36.0 A:41.2/0.00 @:90 B@:55 HBR@:12",
               "t0=210.02/210@90 b0=60/60@55"},
    ReportCase{" T:210.02/210.00 B:60.00/60.00 X:38.1/36.0 A:41.2/0.00 @:90 B@:55 C@:35.5 HBR@:12",
               "t0=210.02/210@90 b0=60/60@55 c0=35.5/-@-"},
    ReportCase{" T:210.02/210.00 B:60.00/60.00 B_0_0:60/60 B_3_3:20/0 @:90 B@:55 HBR@:12",
               "t0=210.02/210@90 b0=60/60@55"},
    // RepRapFirmware: a tool's second heater has no key.
    ReportCase{"T:210.1 /210.0 T0:210.1 /210.0 199.8 /200.0 B:60.0 /60.0 C:35.0 /0.0",
               "t0=210.1/210@- h0=210.1/210@- +0=199.8/200@- b0=60/60@- c0=35/0@-"},
    // Klipper, FlashForge, autotune, OctoPrint's virtual printer.
    ReportCase{"ok B:60.0 /60.0 T0:210.0 /210.0", "ok b0=60/60@- h0=210/210@-"},
    ReportCase{"T0:210/210 B:60/60", "h0=210/210@- b0=60/60@-"},
    ReportCase{"T:151.1 @:0", "t0=151.1/-@0"},
    ReportCase{"T:21.30/ 0.00 @:64", "t0=21.3/0@64"},
};

/// Lines that hold no temperature, however much some look like it.
inline constexpr std::array no_report_cases{
    std::string_view{"ok"},
    std::string_view{"ok N41 P15 B3"},
    std::string_view{"ok T:0"},  // Klipper before it is ready.
    std::string_view{"T:0"},
    std::string_view{"CMD M105 Received."},
    std::string_view{"Cap:AUTOREPORT_TEMP:1"},
    std::string_view{"echo:T:20.00 /0.00"},
    std::string_view{"echo:busy: processing"},
    std::string_view{"E0:3840 RPM E0@:255"},
    std::string_view{"X:0.00 Y:0.00 Z:0.00 E:0.00 Count X:0 Y:0 Z:0"},
    std::string_view{"FIRMWARE_NAME:x EXTRUDER_COUNT:1"},
    // Broken on the way.
    std::string_view{"TT::2277..9933"},
    std::string_view{"==T:195.0 /195.0 ==B:45 /45 @:66"},
    std::string_view{"T:213.9 /:./T4./5.0"},
    std::string_view{"T:213.9 /210.0B:60"},
    std::string_view{"T: /210.0 B:60.0 /60.0"},
    std::string_view{"T:21 3.9 /210.0"},
    std::string_view{"T:210.0 /210.0 B:60.ok T:210.0 /210.0 B:60.0 /60.0"},
    std::string_view{"T:24.9 /0.0 B:24.9 /0.0 @:0 B@:0 T:24.9 /0.0 B:24.9 /0.0 @:0 B@:0"},
    std::string_view{"ok T:24.9 /0.0 B:24.9 /0.0 @:0 B@:0ok T:24.9 /0.0 @:0"},
    std::string_view{"T:2\xff"
                     "4.9 /0.0"},
    std::string_view{"T:24.9 /0.0 \x01"},
    // Impossible.
    std::string_view{"T:nan /0.0 @:0"},
    std::string_view{"T:-nan /0.0 @:0"},
    std::string_view{"T:inf /0.0 @:0"},
    std::string_view{"T:1e30 /0.0 @:0"},
    std::string_view{"T:0x20 /0.0 @:0"},
    std::string_view{"T:1000.01 /0.0"},
    std::string_view{"T:-50.01 /0.0"},
    std::string_view{"T:20.0 /1e3"},
    std::string_view{"T:20.0 /99999"},
    std::string_view{"T:00000020.0 /0"},
    std::string_view{"T:20.0 /0.0 B:5000 /0"},
};

}  // namespace firebreak::guard
