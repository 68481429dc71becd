select
    product_id,
    category_id,
    sku,
    name,
    description,
    price,
    cost,
    weight_kg,
    rating,
    attributes,
    labels,
    is_active,
    released_on,
    created_at,
    updated_at
from {{ source('silver', 'products') }}
