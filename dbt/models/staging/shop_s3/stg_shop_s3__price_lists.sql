{#- Of a product's prices from one day on, that of the last list counts. -#}
with

lines as (
    select
        product_id,
        sku,
        cast(cost as decimal(18, 4)) as unit_cost,
        currency,
        valid_from,
        _object as price_list,
        row_number() over (partition by product_id, valid_from order by _object desc, _row desc) as newest
    from {{ loaded('shop_s3', 'price_lists') }}
    where product_id is not null
)

select
    product_id,
    sku,
    unit_cost,
    currency,
    valid_from,
    lead(valid_from) over (partition by product_id order by valid_from) as valid_until,
    price_list
from lines
where newest = 1
