select
    order_id,
    line_no,
    product_id,
    quantity,
    unit_price,
    discount,
    line_total,
    personalisation
from {{ source('silver', 'order_items') }}
