create function fsm_internal.context_diff(p_old jsonb, p_new jsonb)
returns table (path text, old jsonb, new jsonb)
language plpgsql
immutable
as $$
begin
  return query
    with recursive different (place, path, old, new, inside) as (
      select array[]::text[] collate "C", '$', p_old, p_new, fsm_internal.inside_of(p_old, p_new)
      where not record_image_eq(row(p_old), row(p_new))
      union all
      select d.place || m.place, d.path || m.step, m.old, m.new, fsm_internal.inside_of(m.old, m.new)
      from different d
      cross join lateral (
        select key collate "C" as place, fsm_internal.schema_path('', key) as step, o.value as old, n.value as new
        from jsonb_each(case d.inside when 'object' then d.old else '{}' end) o
        full join jsonb_each(case d.inside when 'object' then d.new else '{}' end) n using (key)
        where not record_image_eq(row(o.value), row(n.value))
        union all
        select lpad(nth::text, 10, '0'), '[' || (nth - 1)::text || ']', o.value, n.value
        from jsonb_array_elements(case d.inside when 'array' then d.old else '[]' end) with ordinality o (value, nth)
        full join jsonb_array_elements(case d.inside when 'array' then d.new else '[]' end) with ordinality n (value, nth) using (nth)
        where not record_image_eq(row(o.value), row(n.value))) m
      where d.inside is not null
    )
    select d.path, d.old, d.new from different d where d.inside is null order by d.place;
end
$$;
comment on function fsm_internal.context_diff(jsonb, jsonb) is
  'The innermost values in which two contexts differ by image, level by level. place is what orders them: keys, and indexes padded to compare as numbers.';

create function fsm_internal.inside_of(p_old jsonb, p_new jsonb)
returns text
language sql
immutable
return case when jsonb_typeof(p_old) = jsonb_typeof(p_new) and jsonb_typeof(p_old) in ('object', 'array') then jsonb_typeof(p_old) end;
comment on function fsm_internal.inside_of(jsonb, jsonb) is 'object or array when two values are both that, so that the difference is to be looked for inside; else null.';
