select
    order_id,
    customer_id,
    shipping_address_id,
    status,
    currency,
    subtotal,
    discount,
    shipping_fee,
    total,
    coupon_codes,
    gift_note,
    metadata,
    placed_at,
    {{ without_zone('placed_local') }} as placed_local,
    updated_at
from {{ source('silver', 'orders') }}
