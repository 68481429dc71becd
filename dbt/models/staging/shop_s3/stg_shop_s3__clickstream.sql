select
    event_id,
    session_id,
    occurred_at,
    type as event_type,
    product_id,
    order_id,
    _day as click_date
from {{ loaded('shop_s3', 'clickstream') }}
