create function fsm_internal.definition_keys(p_place text)
returns text[]
language sql
immutable
return case p_place
  when 'machine' then array['id', 'initial', 'states', 'on', 'meta', 'context', 'description', 'tags', 'version', 'types', 'output']
  when 'state' then array['on', 'after', 'type', 'meta', 'description', 'tags', 'output']
  when 'transition' then array['target', 'guard', 'reenter', 'meta', 'description']
  when 'deadline' then array['target', 'description']
  when 'meta of the machine' then array['context_version', 'context_schema', 'loop', 'max_context_bytes', 'audit', 'description']
  when 'meta of a state' then array['invariant', 'description']
  when 'meta of a transition' then array['loop', 'description']
  when 'loop rule' then array['limit', 'window', 'action']
  when 'loop action' then array['divert']
end;
comment on function fsm_internal.definition_keys(text) is 'The keys that a part of a definition may have.';

create function fsm_internal.definition_refused_keys()
returns table (places text[], keys text[], code text, advice text)
language sql
immutable
begin atomic
  select v.places::text[], v.keys::text[], v.code, v.advice
  from (values
    ('{state}', '{states,initial}', 'unsupported',
      'nested states are not supported: make each a state of its own under the machine''s "states"'),
    ('{machine}', '{type}', 'unsupported',
      'the machine is one flat set of states, parallel regions are not supported: remove it, or make each region a machine of its own'),
    ('{state}', '{history}', 'unsupported',
      'history states are not supported: name the state to go back to as a target'),
    ('{machine,state,transition}', '{entry,exit,actions}', 'unsupported',
      'actions are not supported: the runtime acts on what a call returns'),
    ('{machine,state,transition}', '{always}', 'unsupported',
      'eventless transitions are not supported: name an event and let the runtime send it'),
    ('{machine,state,transition}', '{invoke,onError,onSnapshot}', 'unsupported',
      'invoked actors are not supported: the runtime does the work and sends its outcome as an event'),
    ('{machine,state,transition}', '{onDone}', 'unsupported',
      'done events are not supported: let the runtime send an event when the work is done'),
    ('{machine,state,transition}', '{actors,delays,guards,schemas}', 'unsupported',
      'named implementations are not supported: guards are jsonpath predicates and delays are milliseconds, each written where it is used'),
    ('{machine}', '{after}', 'unsupported',
      'a deadline runs from entering a state: put "after" into each state that it is meant for'),
    ('{transition,deadline}', '{cond}', 'unknown_key',
      'the name is "guard": a jsonpath predicate'),
    ('{transition}', '{internal}', 'unknown_key',
      'a self-transition keeps entered_at and deadlines unless it has "reenter": true'),
    ('{transition}', '{in}', 'unsupported',
      'a session is in one state only: put the transition into that state'),
    ('{transition}', '{delay,after}', 'unknown_key',
      'deadlines stand under "after" of the state'),
    ('{deadline}', '{guard}', 'unsupported',
      'a deadline has no guard: it leads to one state, whose invariant decides'),
    ('{deadline}', '{reenter,actions,meta}', 'unsupported',
      'a deadline has a target only; the loop rule of the machine applies to it'),
    ('{state}', '{id}', 'unsupported',
      'a state is known by its key under "states": remove it'),
    ('{state}', '{invariant}', 'unknown_key',
      'it belongs under "meta" of the state'),
    ('{transition}', '{loop}', 'unknown_key',
      'it belongs under "meta" of the transition'),
    ('{state,"meta of a state"}', '{loop}', 'unknown_key',
      'a loop rule belongs under "meta" of the machine or of a transition'),
    ('{machine}', '{context_version,context_schema,loop,max_context_bytes,audit}', 'unknown_key',
      'it belongs under "meta" of the machine')
  ) v (places, keys, code, advice);
end;
comment on function fsm_internal.definition_refused_keys() is
  'What to say about keys that people coming from XState write, or that stand in the wrong place.';
