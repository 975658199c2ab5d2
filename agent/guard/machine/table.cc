#include <array>

#include "agent/guard/machine/machine.h"

namespace firebreak::guard::machine {
namespace {

using namespace effect;

constexpr std::uint16_t boot = in(State::boot);
constexpr std::uint16_t on_guard = in(State::armed) | in(State::watch);
constexpr std::uint16_t stopping = in(State::stopping);
constexpr std::uint16_t cutting = in(State::cutting);
constexpr std::uint16_t not_cut = in(State::not_cut);
constexpr std::uint16_t tripped = in(State::tripped);
constexpr std::uint16_t probation = in(State::probation);
constexpr std::uint16_t parked = in(State::parked);

constexpr std::uint32_t cut_now = latch | open | send_stop | start_cut;
constexpr std::uint32_t come_up_tripped = latch | open | send_stop | unproven;

constexpr std::array rows{
    // BOOT: worst first. Nothing here closes a relay; two rows leave one closed.
    Row{"a third restart in ten minutes parks", boot, When::started_too_often, State::parked,
        latch | open | send_stop | unproven, bit(Cause::guard_lapsed)},
    Row{"a parked printer stays parked", boot, When::resumed_parked, State::parked,
        latch | open | send_stop | unproven},
    Row{"an unreadable latch comes up tripped", boot, When::started_bad_slot, State::tripped,
        come_up_tripped, bit(Cause::bad_slot)},
    Row{"a host that has just booted is not armed", boot, When::started_new_boot, State::tripped,
        come_up_tripped, bit(Cause::host_restart)},
    Row{"a guard that was away too long comes up tripped", boot, When::started_lapsed,
        State::tripped, come_up_tripped, bit(Cause::guard_lapsed)},
    Row{"a bad input at the start cuts", boot, When::any_trip, State::cutting, cut_now},
    Row{"a relay that opened meanwhile comes up tripped", boot, When::resumed_open, State::tripped,
        come_up_tripped, bit(Cause::guard_lapsed)},
    Row{"a short restart goes on armed", boot, When::resumed_armed, State::armed, again},
    Row{"a short restart goes on in watch mode", boot, When::resumed_watch, State::watch, again},
    Row{"a stop that a restart interrupted is cut", boot, When::resumed_stopping, State::cutting,
        cut_now},
    Row{"a cut that a restart interrupted is cut again", boot, When::resumed_cutting,
        State::cutting, cut_now},
    Row{"a relay that did not open stays not cut", boot, When::resumed_not_cut, State::not_cut,
        open | send_stop | unproven},
    Row{"a latch survives a restart", boot, When::resumed_tripped, State::tripped,
        open | send_stop | unproven},
    Row{"probation does not survive a restart", boot, When::resumed_probation, State::tripped,
        come_up_tripped, bit(Cause::guard_lapsed)},

    // WATCH, ARMED.
    Row{"a button or hardware verdict cuts", on_guard, When::immediate_trip, State::cutting,
        cut_now},
    Row{"a guard whose pulses lapsed cuts", on_guard, When::pulses_lapsed, State::cutting, cut_now,
        bit(Cause::guard_lapsed)},
    Row{"a relay that opened by itself cuts", on_guard, When::relay_found_open, State::cutting,
        cut_now, bit(Cause::relay_fault)},
    Row{"a service stop while hot cuts", on_guard, When::stopping_hot, State::cutting, cut_now,
        bit(Cause::service_stop)},
    Row{"a software stop asks the firmware first", on_guard, When::software_trip, State::stopping,
        latch | send_stop | start_stop},
    Row{"a person asks for watch mode", in(State::armed), When::watch_asked, State::watch,
        start_watch},
    Row{"watch mode ends by itself and allows no new heat", in(State::watch), When::watch_over,
        State::armed, end_watch},
    Row{"a person arms again", on_guard, When::arm_asked, State::armed, allow_heat},

    // STOPPING: bytes first, then the relay on every doubt.
    Row{"a button or hardware verdict cuts a stop short", stopping, When::immediate_trip,
        State::cutting, cut_now},
    Row{"pulses that lapse cut a stop short", stopping, When::pulses_lapsed, State::cutting,
        cut_now, bit(Cause::guard_lapsed)},
    Row{"a service stop cuts a stop short", stopping, When::stopping_hot, State::cutting, cut_now,
        bit(Cause::service_stop)},
    Row{"a repeated request sends again and renews nothing", stopping, When::software_trip,
        State::stopping, latch | send_stop | again},
    Row{"heat that has ended proves a stop", stopping, When::proven, State::tripped, prove},
    Row{"heat that rises after a stop is cut", stopping, When::risen, State::cutting, cut_now},
    Row{"a target that stays after the acknowledgement is cut", stopping, When::target_back,
        State::cutting, cut_now},
    Row{"a printer that nobody can ask is cut at once", stopping, When::unreachable, State::cutting,
        cut_now},
    Row{"a firmware that does not acknowledge is cut", stopping, When::not_acknowledged,
        State::cutting, cut_now},
    Row{"a firmware that falls silent is cut", stopping, When::fell_silent, State::cutting,
        cut_now},
    Row{"cooling that is not proven in its window is cut", stopping, When::window_over,
        State::cutting, cut_now},
    Row{"an acknowledgement ends its timer", stopping, When::acknowledged, State::stopping,
        acknowledge | again},
    Row{"stop bytes repeat while stopping", stopping, When::repeat_due, State::stopping, resend},

    // CUTTING.
    Row{"a new cause while cutting sends and cuts again", cutting, When::any_trip, State::cutting,
        latch | open | send_stop | again},
    Row{"an open contact proves the cut", cutting, When::feedback_open, State::tripped, prove},
    Row{"a contact that stays live is not cut", cutting, When::feedback_live, State::not_cut,
        latch | open | send_stop | unproven, bit(Cause::relay_fault)},
    Row{"without a relay the board is reset where that stops it", cutting, When::not_verifiable_dtr,
        State::tripped, unproven | dtr},
    Row{"a cut that nothing can verify is unproven", cutting, When::not_verifiable, State::tripped,
        unproven},
    Row{"stop bytes repeat while cutting", cutting, When::repeat_due, State::cutting,
        resend | open},

    // NOT CUT.
    Row{"a new cause while not cut sends and cuts again", not_cut, When::any_trip, State::not_cut,
        latch | open | send_stop | again},
    Row{"a contact that opens late proves the cut", not_cut, When::feedback_open, State::tripped,
        prove},
    Row{"the cut is repeated each second", not_cut, When::repeat_due, State::not_cut,
        resend | open},

    // TRIPPED.
    Row{"a button or hardware verdict cuts a stopped printer again", tripped, When::immediate_trip,
        State::cutting, cut_now},
    Row{"any sign of heat cuts a stopped printer", tripped, When::heat_while_latched,
        State::cutting, cut_now, bit(Cause::revived)},
    Row{"a contact that closes by itself is cut again", tripped, When::live_while_open,
        State::cutting, cut_now, bit(Cause::relay_fault)},
    Row{"pulses that lapse cut a stopped printer whose relay is closed", tripped,
        When::pulses_lapsed, State::cutting, cut_now, bit(Cause::guard_lapsed)},
    // Alone in its pass: a reset that was posted at the same moment must not clear it.
    Row{"a software stop sends again to a stopped printer", tripped, When::software_trip,
        State::tripped, latch | send_stop},
    Row{"a stop is proven late", tripped, When::proven, State::tripped, prove},
    Row{"a valid reset leads to probation", tripped, When::reset_valid, State::probation,
        unlatch | open | revive},
    Row{"stop bytes repeat until proven", tripped, When::repeat_due, State::tripped, resend},

    // PROBATION: the only state in which a relay closes.
    Row{"any cause ends probation", probation, When::any_trip, State::cutting, cut_now},
    Row{"pulses that lapse end probation", probation, When::pulses_lapsed, State::cutting, cut_now,
        bit(Cause::guard_lapsed)},
    Row{"a relay that opens by itself ends probation", probation, When::relay_found_open,
        State::cutting, cut_now, bit(Cause::relay_fault)},
    Row{"a service stop ends probation", probation, When::stopping_hot, State::cutting, cut_now,
        bit(Cause::service_stop)},
    Row{"heat, a target or duty ends probation", probation, When::heat_on_probation, State::cutting,
        cut_now, bit(Cause::revived)},
    Row{"a late first report ends probation", probation, When::report_late, State::cutting, cut_now,
        bit(Cause::blind)},
    Row{"a revived printer gets its power back", probation, When::may_close, State::probation,
        close},
    Row{"the first report starts the clean minute", probation, When::reported, State::probation,
        settle},
    Row{"a clean minute waits for a person", probation, When::clean_over, State::probation, finish},
    Row{"a person releases a clean and cold printer", probation, When::released, State::armed,
        allow_heat},
    Row{"heaters-off repeats on probation", probation, When::repeat_due, State::probation, resend},

    // PARKED.
    Row{"a stop acts on a parked printer", parked, When::any_trip, State::parked,
        latch | open | send_stop | again},
    Row{"a person at the machine ends parking", parked, When::unparked, State::tripped,
        open | send_stop | unproven},
    Row{"stop bytes repeat while parked", parked, When::repeat_due, State::parked, resend},
};

}  // namespace

std::span<const Row> table() noexcept { return rows; }

}  // namespace firebreak::guard::machine
