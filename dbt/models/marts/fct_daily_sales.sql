{{ partitioned_by('order_date') }}

select
    order_date,
    currency,
    count(*) as orders,
    count(*) filter (where is_cancelled) as cancelled_orders,
    count(distinct customer_id) as customers,
    count(*) filter (where customer_order_number = 1) as first_orders,
    coalesce(sum(units) filter (where not is_cancelled), 0) as units_sold,
    sum(total) as gross_sales,
    coalesce(sum(total) filter (where not is_cancelled), 0) as net_sales,
    coalesce(sum(discount) filter (where not is_cancelled), 0) as discounts
from {{ ref('fct_orders') }}
where {{ in_partition('order_date') }}
group by order_date, currency
