select
    customer_id,
    email,
    full_name,
    phone,
    birth_date,
    status,
    marketing_consent,
    loyalty_points,
    tags,
    preferences,
    notes,
    created_at,
    {{ without_zone('last_login_at') }} as last_login_at,
    updated_at
from {{ source('silver', 'customers') }}
