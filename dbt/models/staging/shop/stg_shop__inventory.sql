select
    product_id,
    warehouse,
    quantity,
    reserved,
    reorder_level,
    unit_value,
    {{ without_zone('last_counted_at') }} as last_counted_at,
    updated_at
from {{ source('silver', 'inventory') }}
