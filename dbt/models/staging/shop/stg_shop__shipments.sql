select
    tracking_id,
    order_id,
    carrier,
    warehouse,
    status,
    weight_kg,
    label,
    promised_on,
    shipped_at,
    {{ without_zone('delivered_at') }} as delivered_at
from {{ source('silver', 'shipments') }}
