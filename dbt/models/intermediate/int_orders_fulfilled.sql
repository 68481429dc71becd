with

items as (
    select
        order_id,
        count(*) as item_lines,
        sum(quantity) as units
    from {{ ref('stg_shop__order_items') }}
    group by order_id
),

payments as (
    select
        order_id,
        sum(amount) filter (where status = 'captured') as paid,
        sum(amount) filter (where status = 'refunded') as refunded
    from {{ ref('stg_shop__payments') }}
    group by order_id
),

shipments as (
    select
        order_id,
        count(*) as shipments,
        min(shipped_at) as first_shipped_at,
        max(delivered_at) as last_delivered_at
    from {{ ref('stg_shop__shipments') }}
    group by order_id
),

returns as (
    select
        order_id,
        sum(quantity) as returned_units
    from {{ ref('stg_shop__returns') }}
    group by order_id
)

select
    orders.order_id,
    shipments.first_shipped_at,
    shipments.last_delivered_at,
    coalesce(items.item_lines, 0) as item_lines,
    coalesce(items.units, 0) as units,
    coalesce(payments.paid, 0) as paid,
    coalesce(payments.refunded, 0) as refunded,
    coalesce(shipments.shipments, 0) as shipments,
    coalesce(returns.returned_units, 0) as returned_units
from {{ ref('stg_shop__orders') }} as orders
left join items on orders.order_id = items.order_id
left join payments on orders.order_id = payments.order_id
left join shipments on orders.order_id = shipments.order_id
left join returns on orders.order_id = returns.order_id
