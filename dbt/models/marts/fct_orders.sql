select
    orders.order_id,
    orders.customer_id,
    orders.shipping_address_id,
    orders.status,
    orders.status = 'cancelled' as is_cancelled,
    orders.currency,
    cast(orders.placed_local as date) as order_date,
    orders.placed_at,
    row_number() over (
        partition by orders.customer_id
        order by orders.placed_at, orders.order_id
    ) as customer_order_number,
    fulfilled.item_lines,
    fulfilled.units,
    orders.subtotal,
    orders.discount,
    orders.shipping_fee,
    orders.total,
    fulfilled.paid,
    fulfilled.refunded,
    fulfilled.shipments,
    fulfilled.first_shipped_at,
    fulfilled.last_delivered_at,
    fulfilled.returned_units
from {{ ref('stg_shop__orders') }} as orders
inner join {{ ref('int_orders_fulfilled') }} as fulfilled on orders.order_id = fulfilled.order_id
