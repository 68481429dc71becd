select
    address_id,
    customer_id,
    kind,
    line1,
    line2,
    city,
    postcode,
    country,
    latitude,
    longitude,
    is_default,
    valid_from,
    updated_at
from {{ source('silver', 'addresses') }}
