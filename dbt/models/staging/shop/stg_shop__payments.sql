select
    payment_id,
    order_id,
    method,
    status,
    amount,
    fraud_score,
    gateway_response,
    created_at,
    {{ without_zone('settled_at') }} as settled_at
from {{ source('silver', 'payments') }}
