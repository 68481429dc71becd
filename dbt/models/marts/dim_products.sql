with

stock as (
    select
        product_id,
        sum(quantity) as stock,
        sum(reserved) as reserved,
        count(*) filter (where quantity - reserved <= reorder_level) as warehouses_to_reorder
    from {{ ref('stg_shop__inventory') }}
    group by product_id
),

sales as (
    select
        items.product_id,
        sum(items.quantity) as units_sold
    from {{ ref('stg_shop__order_items') }} as items
    inner join {{ ref('fct_orders') }} as orders on items.order_id = orders.order_id
    where not orders.is_cancelled
    group by items.product_id
),

returns as (
    select
        items.product_id,
        sum(returned.quantity) as units_returned
    from {{ ref('stg_shop__returns') }} as returned
    inner join {{ ref('stg_shop__order_items') }} as items
        on returned.order_id = items.order_id and returned.line_no = items.line_no
    group by items.product_id
)

select
    products.product_id,
    products.sku,
    products.name,
    products.category_id,
    categories.name as category,
    categories.path ->> '$[0]' as department,
    products.price,
    products.cost,
    products.price - products.cost as margin,
    products.weight_kg,
    products.rating,
    products.is_active,
    products.released_on,
    coalesce(stock.stock, 0) as stock,
    coalesce(stock.reserved, 0) as reserved,
    coalesce(stock.warehouses_to_reorder, 0) as warehouses_to_reorder,
    coalesce(sales.units_sold, 0) as units_sold,
    coalesce(returns.units_returned, 0) as units_returned
from {{ ref('stg_shop__products') }} as products
left join {{ ref('stg_shop__categories') }} as categories on products.category_id = categories.category_id
left join stock on products.product_id = stock.product_id
left join sales on products.product_id = sales.product_id
left join returns on products.product_id = returns.product_id
