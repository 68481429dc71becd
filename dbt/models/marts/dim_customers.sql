with

orders as (
    select
        customer_id,
        count(*) as orders,
        count(*) filter (where is_cancelled) as cancelled_orders,
        min(order_date) as first_order_date,
        max(order_date) as latest_order_date
    from {{ ref('fct_orders') }}
    group by customer_id
),

addresses as (
    select
        customer_id,
        city,
        postcode,
        country,
        row_number() over (
            partition by customer_id
            order by is_default desc, valid_from desc, address_id desc
        ) as preference
    from {{ ref('stg_shop__addresses') }}
)

select
    customers.customer_id,
    customers.email,
    customers.full_name,
    customers.phone,
    customers.birth_date,
    customers.status,
    customers.marketing_consent,
    customers.loyalty_points,
    customers.created_at,
    customers.last_login_at,
    addresses.city,
    addresses.postcode,
    addresses.country,
    orders.first_order_date,
    orders.latest_order_date,
    coalesce(orders.orders, 0) as orders,
    coalesce(orders.cancelled_orders, 0) as cancelled_orders
from {{ ref('stg_shop__customers') }} as customers
left join addresses on customers.customer_id = addresses.customer_id and addresses.preference = 1
left join orders on customers.customer_id = orders.customer_id
