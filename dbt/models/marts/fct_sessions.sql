with

clicks as (
    select
        session_id,
        count(*) as clicks,
        count(*) filter (where event_type = 'view') as product_views,
        count(*) filter (where event_type = 'add_to_cart') as cart_additions
    from {{ ref('stg_shop_s3__clickstream') }}
    group by session_id
)

select
    sessions.session_id,
    sessions.customer_id,
    cast({{ without_zone('sessions.started_at') }} as date) as session_date,
    sessions.started_at,
    sessions.ended_at,
    sessions.device_kind,
    sessions.referrer,
    sessions.pages,
    carts.cart_id,
    carts.status as cart_status,
    carts.total as cart_total,
    orders.order_id,
    orders.total as order_total,
    coalesce(clicks.clicks, 0) as clicks,
    coalesce(clicks.product_views, 0) as product_views,
    coalesce(clicks.cart_additions, 0) as cart_additions,
    carts.cart_id is not null as has_cart,
    orders.order_id is not null as is_converted
from {{ ref('stg_shop_dynamodb__sessions') }} as sessions
left join clicks on sessions.session_id = clicks.session_id
left join {{ ref('stg_shop_dynamodb__carts') }} as carts on sessions.cart_id = carts.cart_id
left join {{ ref('stg_shop__orders') }} as orders on sessions.order_id = orders.order_id
