create function fsm_internal.window_text(p_window interval)
returns text
language sql
immutable
return trim_scale(extract(epoch from p_window))::text || ' seconds';
comment on function fsm_internal.window_text(interval) is
  'A loop window for DETAIL, the log and reasons: an interval''s own text would follow the caller''s IntervalStyle.';
