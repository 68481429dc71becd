select
    category_id,
    parent_id,
    name,
    path,
    sort_order,
    is_active,
    updated_at
from {{ source('silver', 'categories') }}
