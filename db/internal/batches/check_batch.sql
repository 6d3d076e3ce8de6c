create function fsm_internal.check_batch(p_items jsonb)
returns void
language plpgsql
stable
as $$
begin
  perform fsm_internal.check_not_null('p_items', p_items);
  if jsonb_typeof(p_items) <> 'array' then
    perform fsm_internal.refuse(fsm_internal.argument_refusal('p_items', 'batch is not an array', jsonb_build_object('type', jsonb_typeof(p_items)),
      'Give p_items as a JSON array of objects.'));
  end if;
  perform fsm_internal.check_at_most('p_items', jsonb_array_length(p_items), 1000, 'items');
end
$$;
comment on function fsm_internal.check_batch(jsonb) is 'Argument check: 22004 if null, 22023 unless an array of at most 1,000 items.';
