select
    items.order_id,
    items.line_no,
    items.product_id,
    orders.order_date,
    orders.is_cancelled,
    items.quantity,
    items.line_total,
    prices.unit_cost,
    prices.price_list,
    prices.unit_cost * items.quantity as line_cost,
    items.line_total - prices.unit_cost * items.quantity as margin
from {{ ref('stg_shop__order_items') }} as items
inner join {{ ref('fct_orders') }} as orders on items.order_id = orders.order_id
left join {{ ref('stg_shop_s3__price_lists') }} as prices
    on
        items.product_id = prices.product_id
        and orders.order_date >= prices.valid_from
        and (prices.valid_until is null or orders.order_date < prices.valid_until)
