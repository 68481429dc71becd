select
    return_id,
    order_id,
    line_no,
    reason,
    quantity,
    refund,
    is_approved,
    comment,
    photo,
    requested_at,
    received_on
from {{ source('silver', 'returns') }}
