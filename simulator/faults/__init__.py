"""What can go wrong: one frozen value for each kind of entry in a script of faults.

A script is a JSON list of objects such as
    {"at": "10:05", "kind": "drop_data", "path": "/v2/iex"}
    {"at": "10:10", "kind": "mute_data", "for_s": 300}
    {"at": "10:20", "kind": "http_500_after_accept", "times": 1, "status": 504}
`at` is New York time on the first day ('HH:MM[:SS]') or an RFC 3339 time; none: from the start.
What strikes the next requests or messages does so from `at` on, `times` times (1). Everything else
takes effect at the first minute's end that is not before `at`, ahead of that minute's bars; what
lasts, lasts `for_s` broker seconds (60). Fields with a question mark may be left out.

Connections
    drop_data       path?               market-data connections are closed
    drop_orders                         trade_updates connections are closed
    mute_data       path? for_s?        connections stay open, their frames are lost
    mute_orders     for_s?              the same for trade_updates
    refuse_406      path? for_s?        market-data logins are refused
    stream_error    code path?          an error frame on market-data connections
    updated_bar     symbol close        the minute before gets a new close, on updatedBars
    garbage_frame   path? text? hex?    a raw frame, of text or of bytes, on market-data connections
                    or, with the path '/stream', on trade_updates ones
    cut_frame       path? keep_bytes?   the TCP connection ends inside its next frame, of which so
                    many bytes are sent (half); '/stream' means trade_updates here too
    halt            symbol for_s?       no bars of the symbol, its orders are taken and rest;
                    reported on statuses
Order updates
    lose_trade_update       event? times?   never sent
    duplicate_trade_update  event? times?   sent twice
    reorder_trade_updates   event? times?   sent after the next one, or at the minute's end
    lose_trade_updates      share? seed? event? for_s?  each lost with that chance (0.02)
    odd_update              event? status?  one of an unknown event and status, with unknown fields,
                            for the newest order
Requests (method and path, the beginning of one, choose them; none: any)
    delay_response  method? path? times? delay_s?   late by so many real seconds
    http_error      method? path? times? status?    refused, nothing was done
    http_429        method? path? times? retry_after_s?  refused, with Retry-After and rate headers
    lose_answer     method? path? times?            carried out, but the connection ends unanswered
    http_500_after_accept  times? status?           an order lives, its answer is an error
    late_accept     times? status? delay_s?         an order is answered with an error, and taken
                    only so many broker seconds later
The account
    activity      type symbol? qty? net_amount? per_share? ratio? moves? description?
                  an activity is posted and moves the account: DIV, INT, FEE, CSD, CSW and JNLC
                  by net_amount dollars (DIV without one: per_share for each share held); SPLIT
                  multiplies the position by ratio and leaves bars alone; CFEE moves nothing, its
                  coin went at the fill, unless moves is true: then qty and net_amount
    call_off      type?                     the newest activity (of the type) in dollars is listed
                  as canceled, and what it paid goes back
    hand_trade    symbol side qty silent?   a human's market order on the same account; silent:
                  trade_updates never reports it
    hand_cancel   symbol                    every open order on the symbol is cancelled
    hand_replace  qty symbol?               the newest order that can be replaced gets another qty
    bust          symbol?                   the last execution (of the symbol) is taken back
    correct       symbol? price? qty?       the last execution gets another price or quantity
    suspend_trading  for_s?         the account's user has suspended trading: it says so, and every
                  order is refused
    cash_drift    amount                    the cash changes, and nothing explains it
    position_drift  symbol qty              the position changes, and nothing explains it
    reset_account                           a new account number, the cash of the start, and nothing
                  of what was
"""

from collections.abc import Mapping

from simulator.faults.account import (
    Bust,
    CallOff,
    CashDrift,
    Correct,
    HandCancel,
    HandOrder,
    HandReplace,
    PositionDrift,
    PostActivity,
    ResetAccount,
    SuspendTrading,
)
from simulator.faults.base import Fault
from simulator.faults.wire import (
    CutFrame,
    DelayResponse,
    DropData,
    DropOrders,
    DuplicateTradeUpdate,
    GarbageFrame,
    Halt,
    Http429,
    Http500AfterAccept,
    HttpError,
    LateAccept,
    LoseAnswer,
    LoseTradeUpdate,
    LoseTradeUpdates,
    MuteData,
    MuteOrders,
    OddUpdate,
    Refuse406,
    ReorderTradeUpdates,
    StreamError,
    UpdatedBar,
)

WireFault = (
    DropData
    | DropOrders
    | MuteData
    | MuteOrders
    | Refuse406
    | StreamError
    | UpdatedBar
    | GarbageFrame
    | CutFrame
    | Halt
    | LoseTradeUpdates
)
OfficeFault = (
    PostActivity
    | CallOff
    | HandOrder
    | HandCancel
    | HandReplace
    | Bust
    | Correct
    | CashDrift
    | PositionDrift
)
AccountFault = OfficeFault | ResetAccount | OddUpdate | SuspendTrading

KINDS: Mapping[str, type[Fault]] = {
    "drop_data": DropData,
    "drop_orders": DropOrders,
    "mute_data": MuteData,
    "mute_orders": MuteOrders,
    "refuse_406": Refuse406,
    "stream_error": StreamError,
    "updated_bar": UpdatedBar,
    "garbage_frame": GarbageFrame,
    "cut_frame": CutFrame,
    "halt": Halt,
    "lose_trade_update": LoseTradeUpdate,
    "duplicate_trade_update": DuplicateTradeUpdate,
    "reorder_trade_updates": ReorderTradeUpdates,
    "lose_trade_updates": LoseTradeUpdates,
    "odd_update": OddUpdate,
    "delay_response": DelayResponse,
    "http_error": HttpError,
    "http_429": Http429,
    "lose_answer": LoseAnswer,
    "late_accept": LateAccept,
    "http_500_after_accept": Http500AfterAccept,
    "activity": PostActivity,
    "call_off": CallOff,
    "hand_trade": HandOrder,
    "hand_cancel": HandCancel,
    "hand_replace": HandReplace,
    "bust": Bust,
    "correct": Correct,
    "cash_drift": CashDrift,
    "position_drift": PositionDrift,
    "suspend_trading": SuspendTrading,
    "reset_account": ResetAccount,
}
