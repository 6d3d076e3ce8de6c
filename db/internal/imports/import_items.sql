create function fsm_internal.check_import_items(p_items jsonb)
returns void
language plpgsql
stable
as $$
declare
  v_wrong record;
begin
  perform fsm_internal.check_batch(p_items);
  select i.nth, w.key, w.wanted into v_wrong
  from jsonb_array_elements(p_items) with ordinality i(item, nth)
  cross join lateral (
    select null as key, 'an object' as wanted where jsonb_typeof(i.item) <> 'object'
    union all
    select k.key, k.wanted
    from (values ('source', 'a string of 1 to 128 bytes'), ('session_id', 'a string')) k(key, wanted)
    where jsonb_typeof(i.item) = 'object' and (jsonb_typeof(i.item -> k.key) = 'string') is not true
    union all
    select 'source', 'a string of 1 to 128 bytes' where octet_length(i.item ->> 'source') not between 1 and 128
    union all
    -- Written out it would be the original.
    select 'data', 'of at most 128 MB of text, or given with its original'
    where jsonb_typeof(i.item) = 'object' and (i.item ->> 'original') is null and fsm_internal.is_too_large(i.item -> 'data', 134217728)
    union all
    select e.key, case when e.key in ('problem', 'original', 'machine') then 'a string, or null' else 'left out' end
    from jsonb_each(case jsonb_typeof(i.item) when 'object' then i.item else '{}' end) e
    where e.key not in ('source', 'session_id', 'data')
      and (e.key not in ('problem', 'original', 'machine') or jsonb_typeof(e.value) not in ('string', 'null'))) w
  order by i.nth, w.key collate "C" nulls first limit 1;
  if found then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_items', 'item of an import has the wrong form',
      jsonb_strip_nulls(jsonb_build_object('ordinal', v_wrong.nth, 'key', left(v_wrong.key, 128), 'wanted', v_wrong.wanted)),
      'An item is {source, session_id, data, problem, original, machine}: see fsm.import_sessions. What cannot be read goes in with data null and a problem.'));
  end if;
end
$$;
comment on function fsm_internal.check_import_items(jsonb) is
  'Argument check: 22004 if null, 22023 unless an array of at most 1,000 objects with the keys of fsm.import_sessions and values of their types.';

create function fsm_internal.given_import_items(p_items jsonb)
returns setof fsm_internal.import_item
language plpgsql
stable
as $$
declare
  v_item record;
begin
  for v_item in
    select i.item, coalesce(i.item ->> 'original', (i.item -> 'data')::text, '') as original, coalesce(nullif(i.item ->> 'machine', ''), 'purchase_item') as machine,
      nullif(i.item -> 'data', 'null') as data, i.item ->> 'source' as source, i.item ->> 'session_id' as session_id
    from jsonb_array_elements(p_items) with ordinality i(item, nth) order by i.nth
  loop
    return next (
      sha256(convert_to(jsonb_build_array(v_item.source, v_item.session_id, v_item.original)::text, 'UTF8')),
      v_item.source, v_item.session_id, fsm_internal.import_target(v_item.session_id, v_item.data), v_item.machine, v_item.data,
      left(nullif(v_item.item ->> 'problem', ''), 128), v_item.original, true, false)::fsm_internal.import_item;
  end loop;
end
$$;
comment on function fsm_internal.given_import_items(jsonb) is
  'The originals of a call. Without original the data is the original; without machine it is purchase_item.';

create function fsm_internal.import_target(p_session_id text, p_data jsonb)
returns text
language sql
immutable
return case
  when p_session_id = fsm_internal.legacy_shared_id() and fsm_internal.is_name(p_data #>> '{session_metadata,contract_context,session_id}', 512)
    then p_data #>> '{session_metadata,contract_context,session_id}'
  when fsm_internal.is_name(p_session_id, 512) then p_session_id end;
comment on function fsm_internal.import_target(text, jsonb) is
  'The session that an original tells of: the one of its id, or for the shared row the one that its contract names. Null: the id is none.';

create function fsm_internal.import_items_of(p_batch uuid, p_target text, p_given fsm_internal.import_item[])
returns setof fsm_internal.import_item
language plpgsql
volatile
as $$
begin
  return query
    select i.digest, i.source, i.session_id, i.target, i.machine, i.data, i.problem, i.original,
      i.digest in (select g.digest from unnest(p_given) g), true
    from fsm_internal.import_items i
    where i.batch = p_batch and i.target = p_target and not i.undone
    order by i.digest;
  return query
    select g.digest, g.source, g.session_id, g.target, g.machine, g.data, g.problem, g.original, true, k.digest is not null
    from unnest(p_given) with ordinality g
    left join fsm_internal.import_items k on k.batch = p_batch and k.digest = g.digest and not k.undone
    where k.digest is null or p_target = ''
    order by g.ordinality;
end
$$;
comment on function fsm_internal.import_items_of(uuid, text, fsm_internal.import_item[]) is
  'Everything that a batch has of a session: what earlier calls brought, and what this one does. p_target empty: originals of no session.';
