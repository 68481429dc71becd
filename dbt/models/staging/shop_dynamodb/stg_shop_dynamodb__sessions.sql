select
    session_id,
    cast(customer_id as bigint) as customer_id,
    cart_id,
    cast(order_id as bigint) as order_id,
    started_at,
    ended_at,
    cast(pages as bigint) as pages,
    json_extract_string(device, '$.kind') as device_kind,
    referrer
from {{ loaded('shop_dynamodb', 'sessions') }}
