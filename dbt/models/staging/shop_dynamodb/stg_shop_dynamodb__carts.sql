select
    cart_id,
    session_id,
    cast(order_id as bigint) as order_id,
    status,
    items,
    cast(total as decimal(18, 2)) as total,
    updated_at
from {{ loaded('shop_dynamodb', 'carts') }}
