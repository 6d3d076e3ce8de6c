-------------------------------- MODULE Save --------------------------------
(* Saves of one session, and all that can go wrong around them: the reply is lost and the client asks again while the
   first call is still on its way, the backend is killed, the server crashes, a turn expires and another is begun.

   Each client has one request id and one call, and may ask twice. The constants take parts out of the design. *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Lock,              \* the session's lock is taken before anything is read
  LookupUnderLock,   \* the request id is looked up under the lock, not when the call arrives
  TurnUnderLock,     \* so is the turn
  VersionTest,       \* the expected version is compared
  Guards,            \* second line: the UPDATE compares the version read, history has its two unique keys
  AckAfterCommit,    \* the answer is sent after the commit
  TimeoutIsUnknown,  \* a client that waited in vain does not take that for a refusal
  OtherToken         \* the token that the other client gives, 0 for none

Clients == {"versioned", "any"}
Calls == Clients \X {1, 2}          \* a client's first attempt and its second
(* One client saves on version 1, with the token of the turn that is held in the beginning; the other on whatever is there. *)
Expected(c) == IF c = "versioned" THEN 1 ELSE 0
Token(c) == IF c = "versioned" THEN 1 ELSE OtherToken
InFlight == {"arrived", "reading", "writing", "written"}

VARIABLES
  history,   \* committed rows: version, request, whether the turn was still right when it was committed
  version,   \* committed version of the session's row
  turn,      \* the token given last; it outlives a crash
  held,      \* whether that turn is held
  queue,     \* who waits for the lock, the holder first
  pc,        \* where each call is
  early,     \* what a call saw when it arrived
  seen,      \* the version that it read
  answer,    \* what the server has sent
  known,     \* what each client believes
  faults     \* crashes and killed backends so far

vars == <<history, version, turn, held, queue, pc, early, seen, answer, known, faults>>

Unseen == [replay |-> FALSE, turn |-> FALSE]
Nothing == [what |-> "nothing", version |-> 0]
Requests(rows) == {rows[i].request : i \in DOMAIN rows}
VersionOf(c, rows) == rows[CHOOSE i \in DOMAIN rows : rows[i].request = c].version
TurnAdmits(c) == IF Token(c) = 0 THEN ~held ELSE held /\ turn = Token(c)

Init ==
  /\ history = <<[version |-> 1, request |-> "create", fenced |-> TRUE]>>
  /\ version = 1 /\ turn = 1 /\ held = TRUE /\ queue = <<>> /\ faults = 0
  /\ pc = [p \in Calls |-> "idle"]
  /\ early = [p \in Calls |-> Unseen]
  /\ seen = [p \in Calls |-> 0]
  /\ answer = [p \in Calls |-> Nothing]
  /\ known = [c \in Clients |-> Nothing]

Without(p) == SelectSeq(queue, LAMBDA q : q # p)
Say(p, what, v) == answer' = [answer EXCEPT ![p] = [what |-> what, version |-> v]]

(* A call is sent when its client has to send it, and may take any time on the network and in a pooler. *)
Arrive(p) ==
  /\ pc[p] = "idle"
  /\ p[2] = 2 => known[p[1]].what = "unknown"
  /\ pc' = [pc EXCEPT ![p] = "arrived"]
  /\ early' = [early EXCEPT ![p] = [replay |-> ~LookupUnderLock /\ p[1] \in Requests(history),
                                   turn |-> ~TurnUnderLock /\ TurnAdmits(p[1])]]
  /\ queue' = IF Lock THEN Append(queue, p) ELSE queue
  /\ UNCHANGED <<history, version, turn, held, seen, answer, known, faults>>

Has(p) == ~Lock \/ (queue # <<>> /\ Head(queue) = p)

Read(p) ==
  /\ pc[p] = "arrived" /\ Has(p)
  /\ seen' = [seen EXCEPT ![p] = version]
  /\ pc' = [pc EXCEPT ![p] = "reading"]
  /\ UNCHANGED <<history, version, turn, held, queue, early, answer, known, faults>>

Leave(p, how) ==
  /\ pc' = [pc EXCEPT ![p] = how] /\ queue' = Without(p)
  /\ seen' = [seen EXCEPT ![p] = 0] /\ early' = [early EXCEPT ![p] = Unseen]
Finish(p) == Leave(p, "ended")

(* Replay, then turn, then version. *)
Decide(p) ==
  LET c == p[1]
      replay == IF LookupUnderLock THEN c \in Requests(history) ELSE early[p].replay
      admitted == IF TurnUnderLock THEN TurnAdmits(c) ELSE early[p].turn
      conflict == VersionTest /\ Expected(c) # 0 /\ seen[p] # Expected(c)
  IN
  /\ pc[p] = "reading"
  /\ CASE replay -> Finish(p) /\ Say(p, "done", VersionOf(c, history))
       [] ~replay /\ (~admitted \/ conflict) -> Finish(p) /\ Say(p, "refused", 0)
       [] OTHER -> pc' = [pc EXCEPT ![p] = "writing"] /\ UNCHANGED <<queue, answer, seen, early>>
  /\ UNCHANGED <<history, version, turn, held, known, faults>>

(* The UPDATE waits for a row that somebody else has written and not committed. *)
Write(p) ==
  /\ pc[p] = "writing"
  /\ \A q \in Calls : pc[q] # "written"
  /\ IF Guards /\ (version # seen[p] \/ p[1] \in Requests(history))
     THEN Finish(p) /\ Say(p, "refused", 0)
     ELSE /\ pc' = [pc EXCEPT ![p] = "written"]
          /\ IF AckAfterCommit THEN UNCHANGED answer ELSE Say(p, "done", seen[p] + 1)
          /\ UNCHANGED <<queue, seen, early>>
  /\ UNCHANGED <<history, version, turn, held, known, faults>>

Commit(p) ==
  /\ pc[p] = "written"
  /\ history' = Append(history, [version |-> seen[p] + 1, request |-> p[1],
       fenced |-> IF Token(p[1]) = 0 THEN ~held ELSE turn = Token(p[1])])
  /\ version' = version + 1
  /\ Finish(p)
  /\ Say(p, "done", seen[p] + 1)
  /\ UNCHANGED <<turn, held, known, faults>>

(* The client takes an answer to its latest attempt only. *)
Receive(p) ==
  /\ answer[p].what # "nothing"
  /\ known[p[1]].what = IF p[2] = 1 THEN "nothing" ELSE "unknown"
  /\ known' = [known EXCEPT ![p[1]] = answer[p]]
  /\ UNCHANGED <<history, version, turn, held, queue, pc, early, seen, answer, faults>>

GiveUp(c) ==
  /\ known[c].what = "nothing"
  /\ known' = [known EXCEPT ![c] = [what |-> IF TimeoutIsUnknown THEN "unknown" ELSE "refused", version |-> 0]]
  /\ UNCHANGED <<history, version, turn, held, queue, pc, early, seen, answer, faults>>

Kill(p) ==
  /\ faults = 0 /\ faults' = 1
  /\ pc[p] \in InFlight /\ Leave(p, "dead")
  /\ UNCHANGED <<history, version, turn, held, answer, known>>

(* What was not committed is gone, and so is the turn, but not its counter. *)
Crash ==
  /\ faults = 0 /\ faults' = 1
  /\ pc' = [p \in Calls |-> IF pc[p] \in InFlight THEN "dead" ELSE pc[p]]
  /\ queue' = <<>> /\ held' = FALSE
  /\ seen' = [p \in Calls |-> 0] /\ early' = [p \in Calls |-> Unseen]
  /\ UNCHANGED <<history, version, turn, answer, known>>

Expire == held /\ held' = FALSE
  /\ UNCHANGED <<history, version, turn, queue, pc, early, seen, answer, known, faults>>

(* Somebody else begins a turn: in one step, because it is done under the lock. *)
BeginTurn ==
  /\ ~held /\ turn = 1
  /\ IF Lock /\ queue # <<>> THEN pc[Head(queue)] = "arrived" ELSE TRUE
  /\ turn' = turn + 1 /\ held' = TRUE
  /\ UNCHANGED <<history, version, queue, pc, early, seen, answer, known, faults>>

Next ==
  \/ \E p \in Calls : Arrive(p) \/ Read(p) \/ Decide(p) \/ Write(p) \/ Commit(p) \/ Receive(p) \/ Kill(p)
  \/ \E c \in Clients : GiveUp(c)
  \/ Crash \/ Expire \/ BeginTurn

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
AtMostOnce == \A i, j \in DOMAIN history : i # j => history[i].request # history[j].request
Contiguous == version = Len(history) /\ \A i \in DOMAIN history : history[i].version = i
AcknowledgedIsStored == \A c \in Clients : known[c].what = "done" =>
  \E i \in DOMAIN history : history[i].request = c /\ history[i].version = known[c].version
RefusedIsNotDone == \A c \in Clients : known[c].what = "refused" => c \notin Requests(history)
Fenced == \A i \in DOMAIN history : history[i].fenced
OnItsVersion == \A i \in DOMAIN history : history[i].request = "versioned" => history[i].version = 2
=============================================================================
