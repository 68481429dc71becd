select
    tracking_id,
    order_id,
    carrier,
    promised_on,
    delivered_at,
    status,
    weight_kg
from {{ loaded('shop_s3', 'parcels') }}
