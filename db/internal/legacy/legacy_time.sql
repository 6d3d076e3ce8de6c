-- Without an exception block: a thousand rows would be as many subtransactions.
create function fsm_internal.legacy_time(p_text text)
returns timestamp
language plpgsql
immutable
as $$
declare
  v_part text[] := regexp_match(p_text, '^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d{1,9})?))?)?(?:Z|([+-])(\d\d):?(\d\d)?)?$');
  v_year integer := v_part[1]::integer;
  v_month integer := v_part[2]::integer;
  v_day integer := v_part[3]::integer;
  v_hour integer := coalesce(v_part[4]::integer, 0);
  v_minute integer := coalesce(v_part[5]::integer, 0);
  v_second numeric := coalesce(v_part[6]::numeric, 0);
  v_offset interval := (coalesce(v_part[7], '+') || '1')::integer
    * (coalesce(v_part[8], '0')::integer * interval '1 hour' + coalesce(v_part[9], '0')::integer * interval '1 minute');
begin
  if v_part is null or v_year = 0 or v_month not between 1 and 12 or v_hour > 23 or v_minute > 59 or v_second >= 60 then
    return null;
  end if;
  if v_day not between 1 and extract(day from make_date(v_year, v_month, 1) + interval '1 month' - interval '1 day') then
    return null;
  end if;
  return make_timestamp(v_year, v_month, v_day, v_hour, v_minute, 0) + v_second * interval '1 second' - v_offset;
end
$$;
comment on function fsm_internal.legacy_time(text) is
  'A time of the old stores, in UTC: ISO 8601 with a blank or a T, with or without an offset; without one it is UTC. Null for null and for anything else, years above 9999 and before Christ included.';

create function fsm_internal.legacy_time_warning(p_time jsonb)
returns text
language plpgsql
stable
as $$
declare
  v_text text := p_time #>> '{}';
  v_at timestamp := fsm_internal.legacy_time(v_text);
begin
  return case
    when p_time is null then null
    when jsonb_typeof(p_time) <> 'string' or v_at is null then 'timestamp_unparsable'
    when v_at > fsm_internal.clock() at time zone 'UTC' + interval '1 day' or v_at < '2000-01-01' then 'timestamp_implausible'
    when v_text ~ '(Z|[+-]\d\d:?(\d\d)?)$' and v_text like '%:%' then 'timestamp_with_offset' end;
end
$$;
comment on function fsm_internal.legacy_time_warning(jsonb) is
  'What is odd about a time in a contract''s context: timestamp_unparsable, timestamp_implausible (before 2000 or in the future) or timestamp_with_offset. Null: nothing, or there is none.';
